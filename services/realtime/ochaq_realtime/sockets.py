"""All open sockets of this process: whom a revoked session belongs to, who is pinged when, and the last goodbye."""

from __future__ import annotations

import asyncio
import random
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import suppress

import orjson
import structlog
from prometheus_client import Counter, Gauge

from ochaq_realtime.connection import GOING_AWAY, SIGNED_OUT, Connection

log = structlog.get_logger(__name__)

WAVES = 10
FLUSH_SECONDS = 2.0
# How long a revoked session is remembered: the gateway may go on vouching for it for five seconds, a token for sixty.
REMEMBER_SECONDS = 90.0

SOCKETS = Gauge("ochaq_live_sockets", "Open sockets")
SILENT = Counter("ochaq_live_silent_total", "Sockets cut because nothing came back for two heartbeats")
REVOKED = Counter("ochaq_live_revoked_total", "Sockets closed because their session was revoked")


class Sockets:
    """The wheel has a slot per second of the heartbeat; each socket gets a random one, so pings never come in step."""

    def __init__(self, heartbeat_seconds: int, beat: Callable[[], None]) -> None:
        self._by_user: dict[str, set[Connection]] = defaultdict(set)
        self._wheel: list[set[Connection]] = [set() for _ in range(heartbeat_seconds)]
        self._slots: dict[Connection, int] = {}
        self._silent: set[Connection] = set()
        self._revoked: dict[tuple[str, str], float] = {}
        self._beat = beat
        self._empty = asyncio.Event()
        self.draining = False

    def __len__(self) -> int:
        return len(self._slots)

    def add(self, connection: Connection) -> bool:
        """Registers a socket; False when it must not stay, because its session was revoked a moment ago."""
        identity = connection.identity
        if identity.session and (identity.subject, identity.session) in self._revoked:
            return False
        slot = random.randrange(len(self._wheel))  # noqa: S311 - a phase, not a secret
        self._slots[connection] = slot
        self._wheel[slot].add(connection)
        self._by_user[identity.subject].add(connection)
        SOCKETS.inc()
        return True

    def remove(self, connection: Connection) -> None:
        slot = self._slots.pop(connection, None)
        if slot is None:
            return
        self._wheel[slot].discard(connection)
        self._silent.discard(connection)
        mine = self._by_user[connection.identity.subject]
        mine.discard(connection)
        if not mine:
            del self._by_user[connection.identity.subject]
        SOCKETS.dec()
        if not self._slots:
            self._empty.set()

    def revoke(self, message: bytes) -> None:
        """A control message `{user_id, session, at}`: cut that session's sockets, or all of the user's."""
        try:
            found = orjson.loads(message)
            user, session, at = str(found["user_id"]), found["session"], float(found["at"])
        except (ValueError, KeyError, TypeError):
            log.error("control.unreadable")
            return
        if session is not None:
            self._revoked[(user, str(session))] = at
        for connection in list(self._by_user.get(user, ())):
            if session is None or connection.identity.session == session:
                REVOKED.inc()
                connection.outbound.close(SIGNED_OUT)

    async def turn(self) -> None:
        """Turns the wheel for ever, one slot a second."""
        slot = 0
        while True:
            await asyncio.sleep(1)
            self._beat()
            slot = (slot + 1) % len(self._wheel)
            for connection in list(self._wheel[slot]):
                self._ping(connection)
            self._forget_revocations()

    async def say_goodbye(self, seconds: float) -> None:
        """Closes every socket with 1012, spread in waves, so that the clients do not all come back at once."""
        self.draining = True
        everyone = list(self._slots)
        random.shuffle(everyone)
        for wave in range(WAVES):
            for connection in everyone[wave::WAVES]:
                connection.outbound.close(GOING_AWAY)
            if len(everyone) >= WAVES:
                await asyncio.sleep(min(seconds / WAVES, len(everyone) / 2000))
        if self._slots:
            self._empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._empty.wait(), FLUSH_SECONDS)

    def _ping(self, connection: Connection) -> None:
        if connection.outbound.ping():
            self._silent.discard(connection)
        elif connection in self._silent:
            SILENT.inc()
            connection.outbound.abort()
        else:
            self._silent.add(connection)

    def _forget_revocations(self) -> None:
        if self._revoked:
            limit = time.time() - REMEMBER_SECONDS
            self._revoked = {key: at for key, at in self._revoked.items() if at > limit}
