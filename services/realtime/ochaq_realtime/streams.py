"""Reading live streams: the asynchronous side of `ochaq_shared.live`."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

from ochaq_shared import live
from redis.asyncio import Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

TIMEOUT = 4.0
# Long enough not to cost anything, short enough to notice a Redis that vanished without closing its connection.
SILENCE = 15.0

CHANNELS = (*(f"rt:p:{shard}" for shard in range(live.SHARDS)), live.CONTROL_CHANNEL)


@dataclass(frozen=True, slots=True)
class Kept:
    """What a stream keeps later than some position. `entries` are (id, body), oldest first."""

    after: int
    position: int
    base: int
    entries: list[tuple[int, bytes]]

    @property
    def whole(self) -> bool:
        """True when nothing between `after` and the first entry is missing: ids have no gaps within a stream's life."""
        if not self.base <= self.after <= self.position:
            return False
        return self.after == self.position if not self.entries else self.entries[0][0] == self.after + 1


class Streams:
    """Commands to Redis. Every call is bounded and raises `redis.exceptions.RedisError` or `OSError` when it fails."""

    def __init__(self, redis_url: str) -> None:
        # No silent retries: the hub must know when a connection broke, and decides itself what to do about it.
        self._redis = Redis.from_url(
            redis_url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT, retry=Retry(NoBackoff(), 0), protocol=2
        )

    async def announce(self, stream: str, seen: int = 0) -> int:
        """Makes sure that the stream has a position, and has it published behind everything published so far."""
        keys, args = live.open_call(stream, seen)
        return int(await self._eval(live.OPEN_LUA, keys, args))

    async def read(self, stream: str, after: int) -> Kept:
        keys, args = live.read_call(stream, after)
        position, base, found = await self._eval(live.READ_LUA, keys, args)
        if not position or not base:
            # Redis does not know the stream (any more): its new life begins above every id that was ever given.
            begun = await self.announce(stream)
            return Kept(after, begun, begun, [])
        return Kept(after, int(position), int(base), list(_entries(found)))

    async def revocations(self, since: float) -> list[bytes]:
        """Control messages of the last minutes, for a process that was cut off when they were published."""
        return cast("list[bytes]", await self._redis.zrangebyscore(live.REVOKED_KEY, since, "+inf"))

    async def close(self) -> None:
        await self._redis.aclose()

    async def listener(self) -> Listener:
        """A new connection subscribed to every channel; all of it has been confirmed when this returns."""
        connection = self._redis.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        listener = Listener(connection)
        try:
            await listener.begin()
        except BaseException:
            await listener.close()
            raise
        return listener

    async def _eval(self, script: str, keys: list[str], args: list[str | int]) -> Any:
        return await self._redis.eval(script, len(keys), *keys, *args)


def _entries(found: list[Any]) -> Iterator[tuple[int, bytes]]:
    for name, fields in found:
        yield int(name.partition(b"-")[0]), fields[1]


class Listener:
    """One subscribed connection. redis-py's own PubSub reconnects behind one's back, which would hide lost messages."""

    def __init__(self, connection: AbstractConnection) -> None:
        self._connection = connection

    async def begin(self) -> None:
        await self._connection.connect()  # type: ignore[no-untyped-call]
        await self._connection.send_command("SUBSCRIBE", *CHANNELS)
        for _ in CHANNELS:
            await asyncio.wait_for(self._connection.read_response(disconnect_on_error=True), TIMEOUT)

    async def next(self) -> tuple[bytes, bytes]:
        """(channel, payload) of the next message; raises when the connection is lost or dead."""
        asked = False
        while True:
            reply = await self._read()
            if reply is None:
                if asked:
                    raise RedisConnectionError("Redis has fallen silent")
                await self._connection.send_command("PING", check_health=False)
                asked = True
            elif reply[0] == b"message":
                return reply[1], reply[2]
            else:
                asked = False

    async def _read(self) -> Any | None:
        """One reply, or None after a long silence."""
        try:
            return await self._connection.read_response(timeout=SILENCE, disconnect_on_error=False)
        except (TimeoutError, RedisTimeoutError):
            return None

    async def close(self) -> None:
        await self._connection.disconnect(nowait=True)
