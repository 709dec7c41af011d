"""Which relay moves which shards: a fair share each, by advisory locks that end with their session.

A relay shows that it is there by a shared lock, and holds an exclusive one for each of its shards. PostgreSQL drops
both when the relay's connection ends, however it ends, so there is no lease to wait for and nobody to be elected.
"""

from __future__ import annotations

import time
from typing import Any

import psycopg

from ochaq_shared.outbox import SHARDS

LOCK_CLASS = 717
PRESENCE_CLASS = 718
# How often relays are counted, and how often a relay asks that has no shard yet.
SETTLED_SECONDS = 1.0
LACKING_SECONDS = 0.2

_RELAYS = """
SELECT count(*) FROM pg_locks l JOIN pg_database d ON d.oid = l.database AND d.datname = current_database()
WHERE l.locktype = 'advisory' AND l.classid = %s AND l.objid = 0 AND l.granted
"""
_TAKE = "SELECT s FROM unnest(%s::int[]) AS s WHERE pg_try_advisory_lock(%s, s) LIMIT %s"
_GIVE = "SELECT pg_advisory_unlock(%s, s) FROM unnest(%s::int[]) AS s"


class Shards:
    """The shards of one relay's session. Only to be balanced between batches: a shard in hand must not change hands."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection
        self._held: set[int] = set()
        self._present = False
        self._balance_at = 0.0

    def balanced(self) -> list[int]:
        """Our shards, after giving up what is more than our share and taking what is free."""
        if time.monotonic() >= self._balance_at:
            share = -(-SHARDS // self._relays())
            self._give(sorted(self._held)[share:])
            if len(self._held) < share:
                self._take(share - len(self._held))
            self._balance_at = time.monotonic() + (SETTLED_SECONDS if self._held else LACKING_SECONDS)
        return sorted(self._held)

    def release(self) -> None:
        """Leave everything to others: for a relay that cannot publish now."""
        self._connection.execute("SELECT pg_advisory_unlock_all()")
        self._held.clear()
        self._present = False
        self._balance_at = 0.0

    def _relays(self) -> int:
        if not self._present:
            self._connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", (PRESENCE_CLASS,))
            self._present = True
        row = self._connection.execute(_RELAYS, (PRESENCE_CLASS,)).fetchone()
        return max(int(row[0]) if row else 1, 1)

    def _take(self, most: int) -> None:
        free = [shard for shard in range(SHARDS) if shard not in self._held]
        taken = self._connection.execute(_TAKE, (free, LOCK_CLASS, most)).fetchall()
        self._held.update(int(row[0]) for row in taken)

    def _give(self, shards: list[int]) -> None:
        if shards:
            self._connection.execute(_GIVE, (LOCK_CLASS, shards))
            self._held.difference_update(shards)
