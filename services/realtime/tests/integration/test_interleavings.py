"""Any order of appending, connecting, subscribing, cut subscriptions and flushed Redis: nothing lost, nothing twice.

The hub runs in this process against a real Redis. Clients follow the contract and nothing else: they remember the
highest id they know, ask for what came after it, and refetch when they hear `recovered: false`.
"""

from __future__ import annotations

import asyncio
import struct
import time
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ochaq_realtime.hub import Hub, Subscription
from ochaq_realtime.streams import Streams
from ochaq_realtime.topics import Topic
from ochaq_shared import live
from redis import Redis


@dataclass
class Reader:
    """A client that follows the contract. `start` is the id after which everything must reach it; `known` the one it
    remembers from before. A client that connects may well be sent what was on its way at that moment."""

    start: int
    known: int = 0
    asked: bool = False
    received: list[int] = field(default_factory=list)
    ephemeral: int = 0
    refetched: int = 0
    subscription: Subscription | None = None
    pending: asyncio.Task[None] | None = None

    @property
    def knows(self) -> int:
        return max([self.known, self.refetched, *self.received[-1:]])

    def send(self, frame: bytes, *, ephemeral: bool = False) -> None:
        message = payload(frame)
        if message["type"] == "subscribed":
            self._subscribed(message)
        elif message["id"] is None:
            assert ephemeral
            self.ephemeral += 1
        else:
            assert message["id"] > self.knows, "an event came twice, or after a later one"
            self.received.append(message["id"])

    def _subscribed(self, message: dict[str, Any]) -> None:
        if message["recovered"]:
            return
        assert message["position"] >= self.knows, "a position went back"
        self.refetched = message["position"]

    def lacks(self, numbers: list[int]) -> list[int]:
        have = set(self.received)
        return [n for n in numbers if n > self.start and n > self.refetched and n not in have]


def payload(frame: bytes) -> dict[str, Any]:
    size = frame[1]
    offset = {126: 4, 127: 10}.get(size, 2)
    if size == 126:
        (size,) = struct.unpack(">H", frame[2:4])
    assert len(frame) == offset + size
    found: dict[str, Any] = orjson.loads(frame[offset:])
    return found


class Interleavings(RuleBasedStateMachine):
    redis_url = ""

    @initialize()
    def begin(self) -> None:
        self.loop = asyncio.new_event_loop()
        # The hub makes tasks, and rules call it outside of a running loop.
        asyncio.set_event_loop(self.loop)
        self.redis = Redis.from_url(self.redis_url)
        self.redis.flushall()
        self.topic = Topic("user", live.personal("someone"))
        self.numbers: list[int] = []
        self.readers: list[Reader] = []
        self.streams = Streams(self.redis_url)
        self.hub = Hub(self.streams, lambda _message: None)
        self.task = self.loop.create_task(self.hub.run())
        self.wait(lambda: self.hub.connected)

    def wait(self, holds: Any) -> None:
        deadline = time.monotonic() + 5
        while not holds():
            assert time.monotonic() < deadline, "it did not come to rest"
            self.loop.run_until_complete(asyncio.sleep(0.002))

    @rule(count=st.integers(1, 4))
    def append(self, count: int) -> None:
        for _ in range(count):
            event = live.LiveEvent(f"e{len(self.numbers)}", "files.file.completed", live.timestamp(), {"id": "f"})
            number = live.append(self.redis, self.topic.stream, event)
            assert number is not None
            assert not self.numbers or number > self.numbers[-1], "ids must grow, whatever happened to Redis"
            self.numbers.append(number)

    @rule()
    def tick(self) -> None:
        """The hub gets a moment, and usually not enough of one."""
        self.loop.run_until_complete(asyncio.sleep(0))

    @rule()
    def connect(self) -> None:
        reader = Reader(start=self.numbers[-1] if self.numbers else 0)
        reader.subscription = self.hub.join(reader, self.topic)
        self.readers.append(reader)

    @precondition(lambda self: any(reader.subscription for reader in self.readers))
    @rule(data=st.data())
    def patience_ends(self, data: Any) -> None:
        reader = self._some(data)
        if reader.subscription and reader.subscription.held and not self._busy(reader):
            reader.subscription.release()
            reader.asked = True

    @precondition(lambda self: any(reader.subscription for reader in self.readers))
    @rule(data=st.data(), back=st.integers(0, 5))
    def subscribe(self, data: Any, back: int) -> None:
        """With a position: the reader's own, or, for one that just came back, what it knew from before."""
        reader = self._some(data)
        if self._busy(reader) or reader.subscription is None:
            return
        if not reader.asked and not reader.received:
            reader.known = self.numbers[-1 - back] if len(self.numbers) > back else 0
            reader.start = reader.known or reader.start
        reader.asked = True
        after = reader.knows or None
        reader.pending = self.loop.create_task(self.hub.subscribe(reader.subscription, after))

    @precondition(lambda self: any(reader.subscription for reader in self.readers))
    @rule(data=st.data())
    def subscribe_from_now(self, data: Any) -> None:
        reader = self._some(data)
        if not self._busy(reader) and reader.subscription is not None:
            reader.asked = True
            reader.pending = self.loop.create_task(self.hub.subscribe(reader.subscription, None))

    @precondition(lambda self: any(reader.subscription for reader in self.readers))
    @rule(data=st.data())
    def disconnect(self, data: Any) -> None:
        reader = self._some(data)
        if not self._busy(reader) and reader.subscription is not None:
            self.hub.leave(reader.subscription)
            self.readers.remove(reader)

    @rule()
    def cut_the_listener(self) -> None:
        self.redis.execute_command("CLIENT", "KILL", "TYPE", "pubsub")

    @rule()
    def flush(self) -> None:
        self.redis.flushall()

    @rule()
    def settle(self) -> None:
        """Everybody has heard everything that could be heard."""
        self.append(1)
        self.wait(lambda: all(not self._busy(reader) for reader in self.readers))
        for reader in self.readers:
            assert reader.subscription is not None
            if reader.subscription.held:
                reader.subscription.release()
                reader.asked = True
        # The last event may have been published into a cut subscription and flushed away: say something once more.
        self.wait(self._quiet)
        for reader in self.readers:
            assert not reader.lacks(self.numbers), f"lost {reader.lacks(self.numbers)} of {self.numbers}"

    def _quiet(self) -> bool:
        if all(not reader.lacks(self.numbers) for reader in self.readers):
            return True
        if self.hub.connected:
            self.loop.run_until_complete(self.streams.announce(self.topic.stream))
        return False

    def _busy(self, reader: Reader) -> bool:
        if reader.pending is not None and reader.pending.done():
            reader.pending.result()
            reader.pending = None
        return reader.pending is not None

    def _some(self, data: Any) -> Reader:
        found: Reader = data.draw(st.sampled_from(self.readers))
        return found

    @invariant()
    def order_holds(self) -> None:
        for reader in getattr(self, "readers", []):
            assert reader.received == sorted(set(reader.received))

    def teardown(self) -> None:
        if not hasattr(self, "loop"):
            return
        try:
            self.settle()
        finally:
            self.task.cancel()
            self.loop.run_until_complete(asyncio.gather(self.task, return_exceptions=True))
            self.loop.run_until_complete(self.hub.close())
            self.loop.close()
            asyncio.set_event_loop(None)
            self.redis.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("examples", [10, pytest.param(120, marks=pytest.mark.long)])
def test_whatever_the_order_nothing_is_lost_and_nothing_comes_twice(
    own_redis: Any, monkeypatch: pytest.MonkeyPatch, examples: int
) -> None:
    monkeypatch.setattr("ochaq_realtime.hub.FIRST_PAUSE", 0.005)
    Interleavings.redis_url = own_redis.url
    few = settings(
        max_examples=examples,
        stateful_step_count=30,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=True,
    )
    run_state_machine_as_test(Interleavings, settings=few)
