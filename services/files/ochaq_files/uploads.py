"""Uploads: from received bytes to an entry on a stored content, whatever else happens at the same time.

The order makes it crash-safe. Bytes are durable in the spool; a claim row is committed before the object is written;
the object is durable before one transaction settles the claim, writes the entry, its event and the idempotent answer.
A process killed anywhere leaves a spool file without a writer or a claim without a settler, and the sweep knows both.
"""

from __future__ import annotations

import asyncio
import random
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from ochaq_shared.events.files import FileUploaded
from ochaq_shared.idempotency import Scope, begin, body_hash, finish
from ochaq_shared.ids import uuid7
from ochaq_shared.problems import Problem
from sqlalchemy import Connection, Row, func, select
from sqlalchemy.dialects.postgresql import insert

from ochaq_files.blobs import Claim, LostRace, blob_abandon, blob_claim, blob_extend, blob_settle
from ochaq_files.documents import Document, Original, document_announce, document_first, document_load
from ochaq_files.storage.database import Database
from ochaq_files.storage.objects import ObjectCorrupt, Objects, StoreUnavailable
from ochaq_files.storage.spool import Fingerprint
from ochaq_files.storage.tables import file, file_version

if TYPE_CHECKING:
    from ochaq_shared.identity import Identity

log = structlog.get_logger(__name__)

ATTEMPTS = 5
WAIT_SECONDS = 120  # for another process that writes the same content and keeps its lease alive


@dataclass(frozen=True)
class Upload:
    """What a person sent: bytes with a name, for a folder."""

    folder: str
    name: str
    declared_type: str
    content: Fingerprint


@dataclass(frozen=True)
class Answer:
    """The answer to an upload, as it is stored for its Idempotency-Key."""

    status: int
    headers: dict[str, str]
    body: bytes
    replayed: bool = False


Render = Callable[[Document], tuple[dict[str, str], bytes]]
"""Shapes the answer's headers and body; the stored answer of an Idempotency-Key must be the one that was sent."""


@dataclass(frozen=True)
class Idempotent:
    """An Idempotency-Key in its scope."""

    scope: Scope
    key: str


class Uploads:
    """Stores uploads of one process."""

    def __init__(self, database: Database, objects: Objects, *, lease_seconds: float) -> None:
        self._database = database
        self._objects = objects
        self._lease = lease_seconds
        self._turns: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def store(
        self,
        identity: Identity,
        upload: Upload,
        source: bytes | Path,
        *,
        render: Render,
        idempotent: Idempotent | None = None,
    ) -> Answer:
        """Store an upload once and answer for it; equal contents are stored once however many come at once."""
        # Equal uploads of one process take turns here instead of asking the database again and again.
        turn = self._turns.setdefault(upload.content.sha256, asyncio.Lock())
        async with turn:
            for _ in range(ATTEMPTS):
                try:
                    return await self._store_once(identity, upload, source, render, idempotent)
                except LostRace as lost:
                    log.info("upload.race_lost", about=str(lost))
        raise Problem("unavailable", "The content is being removed; try again.", retry_after=5)

    async def _store_once(
        self, identity: Identity, upload: Upload, source: bytes | Path, render: Render, idempotent: Idempotent | None
    ) -> Answer:
        async with self._claimed(upload.content, source) as claim:
            return await self._database.run(_settle, identity, upload, claim, render, idempotent)

    @asynccontextmanager
    async def _claimed(self, content: Fingerprint, source: bytes | Path) -> AsyncIterator[Claim]:
        """A content whose object is there. A claim of ours that ends badly is given up at once."""
        claim = await self._claim(content)
        try:
            if claim.token is not None:
                await self._write(claim, content, source)
            yield claim
        except BaseException:
            if claim.token is not None:
                await asyncio.shield(self._abandon(claim))
            raise

    async def _claim(self, content: Fingerprint) -> Claim:
        """Our claim, or a stored content; waits while another process writes the same content."""
        pause, deadline = 0.01, time.monotonic() + WAIT_SECONDS
        while time.monotonic() < deadline:
            claim = await self._database.run(blob_claim, content, self._lease)
            if claim is not None and (claim.token is not None or claim.state == "stored"):
                return claim
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            pause = min(pause * 2, 0.5)
        raise Problem("unavailable", "The same content is still being stored; try again.", retry_after=10)

    async def _write(self, claim: Claim, content: Fingerprint, source: bytes | Path) -> None:
        keeper = asyncio.create_task(self._keep(claim))
        try:
            await self._objects.put(claim.key, source, content.size)
        except (StoreUnavailable, ObjectCorrupt) as error:
            log.warning("object.put_failed", key=claim.key, error=str(error))
            raise Problem("unavailable", "The file could not be stored now.", retry_after=5) from error
        finally:
            keeper.cancel()

    async def _keep(self, claim: Claim) -> None:
        """Extend the lease while a long write goes on."""
        while True:
            await asyncio.sleep(self._lease / 3)
            await self._database.run(blob_extend, claim, self._lease)

    async def _abandon(self, claim: Claim) -> None:
        try:
            await self._database.run(blob_abandon, claim)
        except Exception as error:  # the lease ends the claim anyway; what raised before is what counts
            log.info("claim.abandon_failed", key=claim.key, error=type(error).__name__)


def _settle(
    connection: Connection,
    identity: Identity,
    upload: Upload,
    claim: Claim,
    render: Render,
    idempotent: Idempotent | None,
) -> Answer:
    """The one transaction of an upload: content, entry, version, event, idempotent answer."""
    fingerprint = body_hash("\0".join((upload.content.sha256, upload.folder, upload.name)).encode())
    if idempotent and (replay := begin(connection, idempotent.scope, idempotent.key, fingerprint)):
        return _replayed(connection, claim, replay.status, replay.headers, replay.body)
    blob_settle(connection, claim)
    original = document_first(connection, identity, claim.blob_id)
    document = _enter(connection, identity, upload, claim.blob_id, original)
    headers, body = render(replace(document, duplicate_of=original))
    status = 200 if original else 201
    if idempotent:
        finish(connection, idempotent.scope, idempotent.key, fingerprint, status=status, headers=headers, body=body)
    return Answer(status, headers, body)


def _replayed(connection: Connection, claim: Claim, status: int, headers: dict[str, str], body: bytes) -> Answer:
    # The first upload's entry may be gone since: then this claim was ours and is given up like a failed one.
    if claim.token is not None:
        blob_abandon(connection, claim)
    return Answer(status, headers, body, replayed=True)


def _enter(
    connection: Connection, identity: Identity, upload: Upload, blob_id: int, original: Original | None
) -> Document:
    """The entry of this name: made, found with the same content, or given a new version."""
    file_id = _insert(connection, identity, upload, blob_id, original)
    if file_id is None:
        entry = _find(connection, identity, upload)
        if entry.blob_id == blob_id:
            return _loaded(connection, entry.id)
        file_id = entry.id
        _renew(connection, upload, blob_id, original, file_id)
    document = _loaded(connection, file_id)
    _remember_version(connection, identity, upload, document)
    document_announce(connection, FileUploaded, document)
    return document


def _find(connection: Connection, identity: Identity, upload: Upload) -> Row[str, int]:
    """The entry that has the name already, locked; raises `LostRace` when it was removed just now."""
    query = (
        select(file.c.id, file.c.blob_id)
        .where(file.c.owner == identity.subject, file.c.folder == upload.folder, file.c.name == upload.name)
        .with_for_update()
    )
    entry = connection.execute(query).one_or_none()
    if entry is None:
        raise LostRace(upload.name)
    return entry


def _insert(
    connection: Connection, identity: Identity, upload: Upload, blob_id: int, original: Original | None
) -> str | None:
    """The new entry's id; None when another upload of the same name came first."""
    values = {
        "id": uuid7(),
        "owner": identity.subject,
        "folder": upload.folder,
        "name": upload.name,
        **_fresh(upload, blob_id, original),
    }
    query = insert(file).values(values).on_conflict_do_nothing(index_elements=["owner", "folder", "name"])
    found: str | None = connection.execute(query.returning(file.c.id)).scalar_one_or_none()
    return found


def _renew(connection: Connection, upload: Upload, blob_id: int, original: Original | None, file_id: str) -> None:
    query = file.update().where(file.c.id == file_id)
    now = func.clock_timestamp()
    query = query.values(**_fresh(upload, blob_id, original), modified_at=now, status_at=now)
    connection.execute(query.values(content_version=file.c.content_version + 1, version=file.c.version + 1))


def _fresh(upload: Upload, blob_id: int, original: Original | None) -> dict[str, object]:
    """What an entry says of a content that nobody looked into yet."""
    return {
        "blob_id": blob_id,
        "declared_type": upload.declared_type,
        "media_type": "application/octet-stream",
        "kind": "other",
        "status": "pending",
        "failure": None,
        "metadata": {},
        "duplicate_of": original.id if original else None,
    }


def _remember_version(connection: Connection, identity: Identity, upload: Upload, document: Document) -> None:
    connection.execute(
        insert(file_version).values(
            file_id=document.id,
            number=document.content_version,
            blob_id=document.blob_id,
            declared_type=upload.declared_type,
            uploaded_by=identity.subject,
        )
    )


def _loaded(connection: Connection, file_id: str) -> Document:
    document = document_load(connection, file_id)
    if document is None:
        raise LookupError(f"file {file_id} vanished inside its own transaction")
    return document
