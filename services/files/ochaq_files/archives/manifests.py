"""What an archive download is made of, remembered so that an interrupted one goes on with the same bytes.

The manifest's id is a digest of the archive's contents and its ETag. The same folder state has the same id on every
replica and after every restart; a range with `If-Range` naming an older id is served from that snapshot. A snapshot
belongs to a scope (one owner's files, or everybody's) and is only given to identities that have this scope now.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import orjson
from ochaq_shared.problems import Problem
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert

from ochaq_files import policy
from ochaq_files.archives.entries import Entry, entry_names
from ochaq_files.folders import inside
from ochaq_files.storage.objects import object_key
from ochaq_files.storage.tables import archive_manifest as manifest
from ochaq_files.storage.tables import blob, file

if TYPE_CHECKING:
    from ochaq_shared.identity import Identity

FORMAT = 1  # part of every id: a change of the layout's bytes must change it


@dataclass(frozen=True)
class Manifest:
    """One state of one folder."""

    id: str
    entries: list[Entry]

    @property
    def modified(self) -> int:
        """When its newest file was changed, a Unix time."""
        return max((entry.modified for entry in self.entries), default=0)


def manifest_current(connection: Connection, identity: Identity, folder: str, hours: float) -> Manifest:
    """The folder as it is now, remembered for `hours` from now; raises `not_found` for a folder without files."""
    rows = _rows(connection, identity, folder)
    if not rows:
        raise Problem("not_found", "There is no such folder.")
    current = _manifest(folder, rows)
    _remember(connection, identity, folder, current, [row.blob_id for row in rows], hours)
    return current


def manifest_snapshot(connection: Connection, identity: Identity, folder: str, manifest_id: str) -> Manifest | None:
    """An earlier state of the folder that the identity may read, unless it is forgotten."""
    query = select(manifest.c.entries).where(
        manifest.c.id == manifest_id,
        manifest.c.folder == folder,
        manifest.c.scope == policy.scope_of(identity),
        manifest.c.expires_at > func.now(),
    )
    packed = connection.execute(query).scalar_one_or_none()
    return Manifest(manifest_id, [Entry(*fields) for fields in orjson.loads(packed)]) if packed else None


_Stored = Row[tuple[str, str, datetime, int, str, int, int, int]]


def _rows(connection: Connection, identity: Identity, folder: str) -> list[_Stored]:
    query = (
        select(
            file.c.folder,
            file.c.name,
            file.c.modified_at,
            file.c.blob_id,
            blob.c.sha256,
            blob.c.gen,
            blob.c.size,
            blob.c.crc32,
        )
        .select_from(file.join(blob, blob.c.id == file.c.blob_id))
        .where(policy.visible_to(identity), inside(folder))
        .order_by(file.c.folder.collate("C"), file.c.name.collate("C"), file.c.id)
    )
    return list(connection.execute(query))


def _manifest(folder: str, rows: list[_Stored]) -> Manifest:
    cut = len(folder) + 1 if folder else 0
    paths = (f"{row.folder}/{row.name}"[cut:] if row.folder else row.name for row in rows)
    entries = [
        Entry(name, row.size, row.crc32, int(row.modified_at.timestamp()), object_key(row.sha256, row.gen))
        for name, row in zip(entry_names(paths), rows, strict=True)
    ]
    digest = hashlib.sha256(orjson.dumps([FORMAT, _packed(entries)]))
    return Manifest(digest.hexdigest(), entries)


def _remember(
    connection: Connection, identity: Identity, folder: str, current: Manifest, blob_ids: list[int], hours: float
) -> None:
    until = func.now() + func.make_interval(0, 0, 0, 0, 0, 0, hours * 3600)
    key = {"id": current.id, "folder": folder, "scope": policy.scope_of(identity)}
    known = select(manifest.c.expires_at > func.now() + (until - func.now()) / 2).where(
        *(manifest.c[column] == value for column, value in key.items())
    )
    # Most requests meet a manifest that lives long enough: they write nothing.
    if connection.execute(known).scalar_one_or_none():
        return
    query = insert(manifest).values(
        **key,
        entries=orjson.dumps(_packed(current.entries)),
        modified=current.modified,
        blob_ids=blob_ids,
        expires_at=until,
    )
    connection.execute(query.on_conflict_do_update(index_elements=list(key), set_={"expires_at": until}))


def _packed(entries: list[Entry]) -> list[tuple[str, int, int, int, str]]:
    return [(entry.name, entry.size, entry.crc32, entry.modified, entry.key) for entry in entries]
