"""Receipts: which events each queue's consumers have dealt with, so that a relay can send again what a queue lost.

Sets in Redis, `receipts:{queue}:{minute}`, by the minute in the event's own UUIDv7, of the 16 bytes of event ids.
They are a hint and no truth: a receipt that is missing (Redis was away, or lost its memory) makes the relay send an
event once more, which the consumer's inbox drops; it can never make an event be lost. Why: docs/decisions/0010.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import structlog
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

log = structlog.get_logger(__name__)

KEEP_SECONDS = 1800
FLUSH_SECONDS = 0.5
PAUSE_SECONDS = 5.0
MOST_WAITING = 50_000
TIMEOUT = 0.5
_MINUTE_MS = 60_000


class Receipts:
    """One process's way to write or read receipts. Not thread-safe: one owner, one thread."""

    def __init__(self, redis_url: str) -> None:
        # No retries: a consumer waits at most for one timeout, and then not again for `PAUSE_SECONDS`.
        self._redis = Redis.from_url(
            redis_url,
            socket_timeout=TIMEOUT,
            socket_connect_timeout=TIMEOUT,
            protocol=2,
            retry=Retry(NoBackoff(), 0),
        )
        self._waiting: dict[str, list[bytes]] = {}
        self._count = 0
        self._flush_at = self._pause_until = 0.0

    def settled(self, queue: str, ids: Iterable[str]) -> None:
        """Remember that `queue` needs these events no more: they were handled, or kept as dead letters.

        For the consumer, after the transaction of the effects committed (and dead letters were confirmed), before or
        after the ack; not for events that wait in a retry queue. Buffers, and writes at most twice a second: call
        `flush` when idle and when stopping, so that the last ones do not stay here. Never raises, never waits for
        longer than a second; what Redis did not take is kept for later, up to `MOST_WAITING` ids.
        """
        for event_id in ids:
            member = _member(event_id)
            if member is not None and self._count < MOST_WAITING:
                self._waiting.setdefault(_key(queue, member), []).append(member)
                self._count += 1
        if time.monotonic() >= self._flush_at:
            self.flush()

    def flush(self) -> None:
        """Write what waits. Never raises; costs nothing when nothing waits."""
        now = time.monotonic()
        if not self._waiting or now < self._pause_until:
            return
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for key, members in self._waiting.items():
                pipeline.sadd(key, *members)
                pipeline.expire(key, KEEP_SECONDS)
            pipeline.execute()
        except RedisError as error:
            log.warning("receipts.waiting", events=self._count, error=type(error).__name__)
            self._pause_until = now + PAUSE_SECONDS
            return
        self._waiting.clear()
        self._count = 0
        self._flush_at = now + FLUSH_SECONDS

    def missing(self, queue: str, ids: Iterable[str]) -> list[str]:
        """Those of `ids` that `queue` has no receipt for. Raises `RedisError`: no answer is no receipt."""
        by_key: dict[str, list[tuple[str, bytes]]] = {}
        for event_id in ids:
            member = bytes.fromhex(event_id.replace("-", ""))
            by_key.setdefault(_key(queue, member), []).append((event_id, member))
        if not by_key:
            return []
        pipeline = self._redis.pipeline(transaction=False)
        for key, entries in by_key.items():
            pipeline.smismember(key, [member for _, member in entries])
        pairs = zip(by_key.values(), pipeline.execute(), strict=True)
        return [entry[0] for entries, found in pairs for entry, there in zip(entries, found, strict=True) if not there]

    def close(self) -> None:
        """Write what waits, and close the connection."""
        self.flush()
        self._redis.close()


def _member(event_id: str) -> bytes | None:
    """The 16 bytes of a UUID; None for an id that is none, which no outbox of ours made."""
    try:
        member = bytes.fromhex(event_id.replace("-", ""))
    except ValueError:
        return None
    return member if len(member) == 16 else None


def _key(queue: str, member: bytes) -> str:
    return f"receipts:{queue}:{int.from_bytes(member[:6], 'big') // _MINUTE_MS}"
