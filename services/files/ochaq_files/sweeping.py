"""Cleaning up after processes that died: half-written files, unsettled claims, unprocessed files, unknown objects.

Every step may run at any time, in any number of processes, and again. An object is only removed after its row was
marked in a committed transaction, or after the database was asked for its key at that very moment; never from a list
made before (a stale report once cost a photo service its users' pictures: immich #30933).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from ochaq_shared import idempotency
from ochaq_shared.bus import inbox
from sqlalchemy import Connection, text

from ochaq_files.storage.database import Database
from ochaq_files.storage.objects import Objects, object_key
from ochaq_files.storage.scratch import Scratch

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Sweeper:
    """The sweeps of one process."""

    database: Database
    objects: Objects
    spool: Scratch

    def sweep_unfinished(self) -> int:
        """Remove half-written files whose writers are dead; only this machine's disks are looked at."""
        found = self.spool.sweep() + self.objects.sweep()
        if found:
            log.info("sweep.unfinished_removed", count=found)
        return found

    async def sweep_claims(self) -> int:
        """Remove contents that nobody settled: first the object, then the row that knows of it."""
        doomed = await self.database.run(_mark_expired)
        for blob_id, key in doomed:
            await self.objects.delete(key)
            await self.database.run(_forget, blob_id)
        if doomed:
            log.info("sweep.claims_removed", count=len(doomed))
        return len(doomed)

    async def sweep_orphans(self, grace_seconds: float) -> int:
        """Remove objects older than the grace that no row knows."""
        older = datetime.now(UTC) - timedelta(seconds=grace_seconds)
        removed = 0
        async for stored in self.objects.list("b"):
            if stored.modified < older and not await self.database.run(_known, stored.key):
                await self.objects.delete(stored.key)
                log.warning("sweep.orphan_removed", key=stored.key)
                removed += 1
        return removed

    async def sweep_records(self) -> None:
        """Forget expired manifests, idempotency keys and old inbox rows."""
        await self.database.run(_forget_old_records)


def _mark_expired(connection: Connection) -> list[tuple[int, str]]:
    """Claims whose lease is over (and marks that a killed sweep left): from here on nobody can settle them.

    The new lease is the sweep's own, so that another one leaves these to it for a minute.
    """
    rows = connection.execute(
        text(
            "UPDATE blob SET state = 'deleting', lease_until = clock_timestamp() + interval '1 minute' WHERE id IN ("
            "  SELECT id FROM blob b WHERE lease_until < clock_timestamp() AND state IN ('writing', 'deleting')"
            "  AND NOT EXISTS (SELECT 1 FROM file WHERE blob_id = b.id)"
            "  AND NOT EXISTS (SELECT 1 FROM file_version WHERE blob_id = b.id)"
            "  ORDER BY lease_until LIMIT 200 FOR UPDATE SKIP LOCKED) RETURNING id, sha256, gen"
        )
    )
    return [(row.id, object_key(row.sha256, row.gen)) for row in rows]


def _forget(connection: Connection, blob_id: int) -> None:
    connection.execute(text("DELETE FROM blob WHERE id = :id AND state = 'deleting'"), {"id": blob_id})


def _known(connection: Connection, key: str) -> bool:
    parts = key.split("/")
    if len(parts) != 4 or not parts[3].isdigit():
        return True  # not a name of ours: somebody else's object is not ours to remove
    found = connection.execute(
        text("SELECT 1 FROM blob WHERE sha256 = :sha256 AND gen = :gen"), {"sha256": parts[2], "gen": int(parts[3])}
    )
    return found.first() is not None


def _forget_old_records(connection: Connection) -> None:
    connection.execute(text("DELETE FROM archive_manifest WHERE expires_at < now()"))
    idempotency.sweep(connection)
    inbox.sweep(connection)
