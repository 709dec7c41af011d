"""Idempotency-Key: the first answer is stored in the effect's own transaction and replayed for 24 hours.

`begin` and `finish` run inside the transaction of the effect, so a crash before the commit leaves neither the effect
nor the key. An advisory lock tells a request that is still running from one that is over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson

from ochaq_shared.database import execute
from ochaq_shared.problems import FieldError, Problem

KEEP_HOURS = 24
MAX_KEY = 255


@dataclass(frozen=True)
class Scope:
    """A key is unique for one actor, method and route."""

    actor: str
    method: str
    route: str


@dataclass(frozen=True)
class Replay:
    """The first answer to this key."""

    status: int
    headers: dict[str, str]
    body: bytes


def body_hash(body: bytes) -> bytes:
    """What tells one request body from another."""
    return hashlib.sha256(body).digest()


def begin(connection: Any, scope: Scope, key: str, fingerprint: bytes) -> Replay | None:
    """Claim a key inside the effect's transaction. None: go on and call `finish`; a Replay: answer with it.

    Raises `idempotency.in_progress` (409) while the first request runs, `idempotency.mismatch` (422) for another body.
    """
    _check(key)
    _lock(connection, scope, key)
    execute(
        connection,
        "DELETE FROM idempotency WHERE actor=%s AND method=%s AND route=%s AND key=%s"
        " AND created_at < now() - %s * interval '1 hour'",
        (scope.actor, scope.method, scope.route, key, KEEP_HOURS),
    )
    row = execute(
        connection,
        "SELECT body_hash, status, headers, body FROM idempotency WHERE actor=%s AND method=%s AND route=%s AND key=%s",
        (scope.actor, scope.method, scope.route, key),
    ).fetchone()
    return _replay(row, fingerprint) if row else None


def finish(
    connection: Any, scope: Scope, key: str, fingerprint: bytes, *, status: int, headers: dict[str, str], body: bytes
) -> None:
    """Store the answer in the effect's transaction."""
    execute(
        connection,
        "INSERT INTO idempotency (actor, method, route, key, body_hash, status, headers, body)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s::jsonb, %s)",
        (scope.actor, scope.method, scope.route, key, fingerprint, status, orjson.dumps(headers).decode(), body),
    )


def sweep(connection: Any) -> None:
    """Forget the keys that are older than a day."""
    execute(connection, "DELETE FROM idempotency WHERE created_at < now() - %s * interval '1 hour'", (KEEP_HOURS,))


def _check(key: str) -> None:
    if not 1 <= len(key) <= MAX_KEY or not key.isprintable():
        error = FieldError("Idempotency-Key", "invalid", f"1 to {MAX_KEY} printable characters")
        raise Problem("request.invalid", "The Idempotency-Key cannot be used.", errors=[error])


def _lock(connection: Any, scope: Scope, key: str) -> None:
    digest = hashlib.sha256("\0".join((scope.actor, scope.method, scope.route, key)).encode()).digest()
    number = int.from_bytes(digest[:8], "big", signed=True)
    row = execute(connection, "SELECT pg_try_advisory_xact_lock(%s)", (number,)).fetchone()
    if not row[0]:
        raise Problem("idempotency.in_progress", retry_after=1)


def _replay(row: Any, fingerprint: bytes) -> Replay:
    stored, status, headers, body = row
    if bytes(stored) != fingerprint:
        raise Problem("idempotency.mismatch")
    return Replay(status, headers if isinstance(headers, dict) else orjson.loads(headers), bytes(body))
