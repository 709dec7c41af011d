"""Who was let in lately, for the minutes in which PostgreSQL cannot be asked who somebody is.

Whoever runs the house wants to see it most of all while its database is away. So whoever passes a page's guard, and may
see the operators' page, is remembered in Redis for some minutes: under the hash of the session's key, with nothing that
would open anything. It counts only where PostgreSQL does not answer; and it ends with the session, with any change of
the user, or with Redis.
"""

from __future__ import annotations

import hashlib
import time
from dataclasses import dataclass
from typing import Any

from django.core.cache import cache

KNOWN_SECONDS = 600
"""How long somebody is remembered after a page that PostgreSQL allowed, or one that stood in for it."""

LONGEST_SECONDS = 3600
"""How long pages that stand in may stretch that. Also how long an end is remembered, so that it outlives all of it."""


@dataclass(frozen=True)
class Remembered:
    """Somebody in the place of a user, as PostgreSQL knew him at `at` (seconds of the epoch)."""

    user_id: str
    name: str
    role_names: frozenset[str]
    at: float
    is_authenticated: bool = True
    is_staff: bool = False
    """Nobody opens the administration without PostgreSQL."""


def remember(session_key: str | None, *, user_id: Any, name: str, roles: frozenset[str], began: float) -> None:
    """Keep who was let in. `began`: a moment before PostgreSQL was asked; what changed since then counts."""
    if session_key:
        row = {"user": str(user_id), "name": name, "roles": sorted(roles), "at": began}
        cache.set(_entry(_digest(session_key)), row, KNOWN_SECONDS)


def recall(session_key: str | None) -> Remembered | None:
    """Whoever was let in with this session lately; None when nobody was, it is over, or Redis does not answer."""
    if not session_key:
        return None
    digest = _digest(session_key)
    found = cache.get_many([_entry(digest), _over(digest)])
    row = found.get(_entry(digest))
    if row is None or _over(digest) in found or time.time() - row["at"] > LONGEST_SECONDS:
        return None
    if row["at"] <= cache.get(_changed(row["user"]), 0.0):
        return None
    # Last, because it fails when Redis went away meanwhile, and the answers above would then have said too little.
    if not cache.touch(_entry(digest), KNOWN_SECONDS):
        return None
    return Remembered(row["user"], row["name"], frozenset(row["roles"]), row["at"])


def forget_session(session_key: str | None) -> None:
    """This session is over. A request that was let in before cannot bring it back: keys are used once."""
    if session_key:
        digest = _digest(session_key)
        cache.set(_over(digest), 1, LONGEST_SECONDS + KNOWN_SECONDS)
        cache.delete(_entry(digest))


def forget_user(user_id: Any) -> None:
    """Something about this user changed: whoever was let in before counts no more."""
    cache.set(_changed(str(user_id)), time.time(), LONGEST_SECONDS + KNOWN_SECONDS)


def _digest(session_key: str) -> str:
    return hashlib.sha256(session_key.encode("utf-8", "surrogatepass")).hexdigest()


def _entry(digest: str) -> str:
    return f"standing:{digest}"


def _over(digest: str) -> str:
    return f"standing-over:{digest}"


def _changed(user_id: str) -> str:
    return f"standing-changed:{user_id}"
