"""Files as people see them: entries with a name in a folder, pointing at a content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from ochaq_shared.events.files import FileChanged, FileCompleted, FileFailed, FileRemoved, FileUploaded
from ochaq_shared.outbox import emit
from ochaq_shared.problems import Problem
from sqlalchemy import ColumnElement, Connection, RowMapping, Select, and_, delete, select, update
from sqlalchemy.exc import IntegrityError

from ochaq_files import policy
from ochaq_files.cursors import Cursor, Page, page_of
from ochaq_files.inspection import Kind
from ochaq_files.problems import NAME_TAKEN
from ochaq_files.storage.database import note_emitted
from ochaq_files.storage.objects import object_key
from ochaq_files.storage.tables import blob, file

if TYPE_CHECKING:
    from ochaq_shared.identity import Identity

Status = Literal["pending", "processing", "completed", "failed"]
Event = type[FileUploaded | FileCompleted | FileFailed | FileChanged | FileRemoved]

_original = file.alias("original")


@dataclass(frozen=True)
class Original:
    """The oldest readable file with the same content."""

    id: str
    name: str
    folder: str


@dataclass(frozen=True)
class Document:
    """One file entry with its content's facts."""

    id: str
    owner: str
    folder: str
    name: str
    blob_id: int
    key: str
    sha256: str
    size: int
    content_version: int
    declared_type: str
    media_type: str
    kind: Kind
    status: Status
    failure: str | None
    metadata: dict[str, Any]
    version: int
    created_at: datetime
    modified_at: datetime
    duplicate_of: Original | None


@dataclass(frozen=True)
class Filter:
    """Which files of those the identity may read."""

    folder: str | None = None
    status: Status | None = None
    kind: Kind | None = None
    q: str | None = None


def document_list(
    connection: Connection, identity: Identity, wanted: Filter, cursor: Cursor, limit: int
) -> Page[Document]:
    """Readable files, the newest first."""
    query = cursor.narrow(_select(identity).where(*_conditions(wanted)), file.c.id).limit(limit + 1)
    return page_of(
        [_document(row) for row in connection.execute(query).mappings()], cursor, limit, lambda document: document.id
    )


def document_get(connection: Connection, identity: Identity, file_id: str) -> Document:
    """One readable file; raises `not_found`, for a foreign one too."""
    row = connection.execute(_select(identity).where(file.c.id == file_id)).mappings().one_or_none()
    if row is None:
        raise Problem("not_found", "There is no such file.")
    return _document(row)


def document_move(
    connection: Connection, identity: Identity, file_id: str, *, name: str | None, folder: str | None
) -> Document:
    """Rename a file, move it to another folder, or both; raises `files.name_taken`."""
    found = _locked(connection, identity, file_id)
    changes = {
        "name": name if name is not None else found.name,
        "folder": folder if folder is not None else found.folder,
    }
    if changes == {"name": found.name, "folder": found.folder}:
        return found
    try:
        connection.execute(update(file).where(file.c.id == file_id).values(**changes, version=found.version + 1))
    except IntegrityError as taken:
        raise Problem(NAME_TAKEN, "Choose another name or remove that file first.") from taken
    moved = document_get(connection, identity, file_id)
    document_announce(connection, FileChanged, moved)
    return moved


def document_remove(connection: Connection, identity: Identity, file_id: str) -> None:
    """Remove an entry and its versions. Its contents stay until the collector finds that nothing points at them."""
    found = _locked(connection, identity, file_id)
    connection.execute(delete(file).where(file.c.id == file_id))
    document_announce(connection, FileRemoved, found, version=found.version + 1)


def document_announce(connection: Connection, event: Event, document: Document, *, version: int | None = None) -> None:
    """Tell the house what happened to a file, in the transaction in which it happened."""
    what = event(
        id=document.id,
        owner=document.owner,
        name=document.name,
        folder=document.folder,
        size=document.size,
        sha256=document.sha256,
        media_type=document.media_type,
        kind=document.kind,
        status=document.status,
        failure=document.failure,
    )
    emit(connection, what, subject=document.id, version=document.version if version is None else version)
    note_emitted(connection)


def document_load(connection: Connection, file_id: str) -> Document | None:
    """A file whoever may read it: for the house's own work, never for an answer."""
    query = _joined(None).where(file.c.id == file_id)
    row = connection.execute(query).mappings().one_or_none()
    return _document(row) if row else None


def document_first(connection: Connection, identity: Identity, blob_id: int) -> Original | None:
    """The oldest readable file whose present content is this one."""
    query = (
        select(file.c.id, file.c.name, file.c.folder)
        .where(file.c.blob_id == blob_id, policy.visible_to(identity))
        .order_by(file.c.created_at, file.c.id)
        .limit(1)
    )
    row = connection.execute(query).one_or_none()
    return Original(row.id, row.name, row.folder) if row else None


def _locked(connection: Connection, identity: Identity, file_id: str) -> Document:
    """The file with its row locked, so that versions and their events have one order; raises `not_found`."""
    connection.execute(select(file.c.id).where(file.c.id == file_id).with_for_update())
    found = document_get(connection, identity, file_id)
    if not policy.may_change(identity, found.owner):
        raise Problem("auth.forbidden")
    return found


def _conditions(wanted: Filter) -> list[ColumnElement[bool]]:
    exact = {"folder": wanted.folder, "status": wanted.status, "kind": wanted.kind}
    conditions = [file.c[column] == value for column, value in exact.items() if value is not None]
    if wanted.q:
        conditions.append(file.c.name.icontains(wanted.q, autoescape=True))
    return conditions


def _select(identity: Identity) -> Select[Any]:
    return _joined(identity).where(policy.visible_to(identity))


def _joined(identity: Identity | None) -> Select[Any]:
    # An original is named as long as it has the same content, and may be read: versions and roles come after uploads.
    readable = and_(_original.c.id == file.c.duplicate_of, _original.c.blob_id == file.c.blob_id)
    if identity is not None:
        readable = and_(readable, policy.visible_to(identity, _original))
    return select(
        file,
        blob.c.sha256,
        blob.c.gen,
        blob.c.size,
        _original.c.id.label("original_id"),
        _original.c.name.label("original_name"),
        _original.c.folder.label("original_folder"),
    ).select_from(file.join(blob, blob.c.id == file.c.blob_id).outerjoin(_original, readable))


def _document(row: RowMapping) -> Document:
    original = None
    if row["original_id"]:
        original = Original(row["original_id"], row["original_name"], row["original_folder"])
    fields = {name: row[name] for name in Document.__dataclass_fields__ if name not in {"key", "duplicate_of"}}
    return Document(**fields, key=object_key(row["sha256"], row["gen"]), duplicate_of=original)
