"""Folders: there are no folder rows; a folder is what the files under a path have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import ARRAY, ColumnElement, Connection, Select, Text, func, or_, select, true

from ochaq_files import policy
from ochaq_files.cursors import Cursor, Page, page_of
from ochaq_files.storage.tables import blob, file

if TYPE_CHECKING:
    from ochaq_shared.identity import Identity


@dataclass(frozen=True)
class Folder:
    """A folder with everything under it counted, its sub-folders' files too."""

    path: str
    files: int
    bytes: int


def folder_list(connection: Connection, identity: Identity, under: str, cursor: Cursor, limit: int) -> Page[Folder]:
    """The folders directly under a path, by name."""
    counted = _children(identity, under).subquery()
    query = cursor.narrow(select(counted), counted.c.path).limit(limit + 1)
    rows = [Folder(row.path, row.files, row.bytes) for row in connection.execute(query)]
    return page_of(rows, cursor, limit, lambda folder: folder.path)


def inside(path: str) -> ColumnElement[bool]:
    """The condition that a file lies in a folder or anywhere below it."""
    if not path:
        return true()
    return or_(file.c.folder == path, file.c.folder.startswith(f"{path}/", autoescape=True))


def _children(identity: Identity, under: str) -> Select[str, int, Any]:
    depth = under.count("/") + 2 if under else 1
    # The first `depth` segments of a deeper file's folder name the child of `under` that it lies in.
    segments = func.string_to_array(file.c.folder, "/", type_=ARRAY(Text))
    child = func.array_to_string(segments[1:depth], "/").collate("C")
    query = (
        select(child.label("path"), func.count().label("files"), func.sum(blob.c.size).label("bytes"))
        .select_from(file.join(blob, blob.c.id == file.c.blob_id))
        .where(policy.visible_to(identity), inside(under), file.c.folder != under)
    )
    return query.group_by(child)
