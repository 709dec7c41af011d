"""A thin publisher on `amqp.Connection`: many messages in flight, every one confirmed, none believed without it.

Any timeout, refusal or protocol surprise throws the connection away and leaves it to the caller to send again:
duplicates are the inbox's business, a lost message would be nobody's. (Confirms read after a timeout belonged to other
messages in 7 of 10 measured runs; an unroutable message is confirmed too unless `mandatory` is set.)

A broker with a memory or disk alarm stops reading from whoever publishes, and says so only to them. So every new
connection publishes a probe that goes nowhere before the first real message, an idle one does so every few seconds, and
a blocked connection is given up at once: what waits in it would be published twice when the alarm is over.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import structlog
from prometheus_client import Gauge

from ochaq_shared.bus import frames, topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect

log = structlog.get_logger(__name__)

PUBLISH_SECONDS = 10.0
PROBE_SECONDS = 10.0
# Messages are written so many bytes at a time: one call of the kernel each, and an alarm is heard of in between.
WRITE_BYTES = 32_768

BLOCKED = Gauge("ochaq_bus_blocked", "1 while RabbitMQ refuses this process's messages because of an alarm")


class PublishingBlocked(BrokerUnavailable):
    """RabbitMQ has a memory or disk alarm: it takes no messages from anybody until that is over."""


@dataclass(frozen=True)
class Message:
    """One message on its way out."""

    id: str
    exchange: str
    routing_key: str
    body: bytes
    headers: dict[str, Any] = field(default_factory=dict)
    type: str = ""


class Publisher:
    """Publishes batches and waits for their confirms. Not thread-safe: one owner, one thread."""

    def __init__(self, amqp_url: str) -> None:
        self._url = amqp_url
        self._connection: Any = None
        self._channel: Any = None
        self._pending: dict[int, int] = {}
        self._refused: set[int] = set()
        self._returned: set[str] = set()
        self._published = 0
        self._probe_at = 0.0
        self._alarmed = False  # what this connection was told
        self.blocked = False  # what is known: true until a probe has passed

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def publish(self, messages: Sequence[Message]) -> list[str | None]:
        """Publish and wait for confirms. One entry per message: None when it is safe, else why it is not.

        Raises `BrokerUnavailable` when nothing can be said about any of them, `PublishingBlocked` when that is because
        of an alarm; never waits for longer than `PUBLISH_SECONDS` for the broker to take and confirm them.
        """
        with self._trusted("publishing"):
            self._open()
            self._send(messages)
        return [self._verdict(index, message) for index, message in enumerate(messages)]

    def probe(self) -> None:
        """Find out whether the broker takes messages, by two that go nowhere; raises as `publish` does."""
        with self._trusted("probing"):
            if self._connection is None or self.blocked:
                self._open()  # which probes
            else:
                self._probe()

    def tick(self) -> None:
        """Send and check heartbeats, read what the broker said, now and then probe; call this while idle."""
        if self._connection is None:
            return
        try:
            self._connection.heartbeat_tick()
            if time.monotonic() >= self._probe_at:
                self.probe()
            self._connection.drain_events(timeout=0.001)
        except TimeoutError:
            return
        except Exception:  # a dead connection is found here rather than at the next publish
            self.close()

    def open(self) -> None:
        """Connect, declare the topology and probe now; raises `BrokerUnavailable`."""
        with self._trusted("connecting"):
            self._open()

    def close(self) -> None:
        """Drop the connection, whatever state it is in; never waits."""
        if self._connection is not None:
            close(self._connection)
        self._connection = self._channel = None

    @contextmanager
    def _trusted(self, what: str) -> Iterator[None]:
        """Whatever goes wrong inside, the connection is not used again."""
        try:
            yield
        except BrokerUnavailable:
            self.close()
            raise
        except Exception as error:  # any surprise on the wire
            self.close()
            raise BrokerUnavailable(f"{what} failed: {type(error).__name__}") from error

    def _open(self) -> None:
        if self._connection is not None and not self.blocked:
            return
        self.close()
        self._connection = connect(self._url)
        self._connection.on_blocked = self._on_blocked
        self._connection.on_unblocked = self._on_unblocked
        self._channel = self._connection.channel()
        topology.declare(self._channel)
        self._channel.confirm_select()
        self._channel.events["basic_ack"].add(self._on_ack)
        self._channel.events["basic_nack"].add(self._on_nack)
        self._channel.events["basic_return"].add(self._on_return)
        self._published = 0
        self._alarmed = False
        self._probe()

    def _probe(self) -> None:
        # The broker takes one message more after an alarm began: its silence is met with the second.
        for _ in range(2):
            self._send([Message("probe", topology.PROBE_EXCHANGE, "", b"")], mandatory=False)
        self._set_blocked(False)

    def _send(self, messages: Sequence[Message], *, mandatory: bool = True) -> None:
        deadline = time.monotonic() + PUBLISH_SECONDS
        self._pending, self._refused, self._returned = {}, set(), set()
        waiting = bytearray()
        for index, message in enumerate(messages):
            self._published += 1
            self._pending[self._published] = index
            waiting += self._encode(message, mandatory)
            if len(waiting) >= WRITE_BYTES:
                self._write(waiting, deadline)
                waiting = bytearray()
        self._write(waiting, deadline)
        while self._pending:
            self._connection.drain_events(timeout=self._still_time(deadline))
        self._probe_at = time.monotonic() + PROBE_SECONDS

    def _encode(self, message: Message, mandatory: bool) -> bytes:
        return frames.published(
            channel=self._channel.channel_id,
            frame_max=self._connection.frame_max,
            exchange=message.exchange,
            routing_key=message.routing_key,
            mandatory=mandatory,
            body=message.body,
            headers=message.headers,
            correlation_id=message.headers.get("id", message.id),
            message_id=message.id,
            type=message.type,
        )

    def _write(self, waiting: bytearray, deadline: float) -> None:
        """Give the broker some messages, and hear what it has to say meanwhile: that it is blocked, for one."""
        self._connection.transport.write(waiting)
        self._connection.bytes_sent += 1  # by which the heartbeat knows that something was sent
        with suppress(TimeoutError):
            self._connection.drain_events(timeout=0)
        self._still_time(deadline)

    def _still_time(self, deadline: float) -> float:
        """The seconds that are left; raises when there are none, or when the broker said that it is blocked."""
        if self._alarmed:
            raise PublishingBlocked("RabbitMQ takes no messages: it has a memory or disk alarm")
        left = deadline - time.monotonic()
        if left <= 0:
            raise BrokerUnavailable(f"{len(self._pending)} messages were not confirmed in {PUBLISH_SECONDS:.0f} s")
        return left

    def _verdict(self, index: int, message: Message) -> str | None:
        if index in self._refused:
            return "refused by the broker"
        return "unroutable" if message.id in self._returned else None

    def _settle(self, delivery_tag: int, multiple: bool) -> list[int]:
        # Tags grow and the dictionary keeps their order, so `multiple` settles a prefix.
        tags = [tag for tag in self._pending if tag <= delivery_tag] if multiple else [delivery_tag]
        return [self._pending.pop(tag) for tag in tags if tag in self._pending]

    def _on_ack(self, delivery_tag: int, multiple: bool) -> None:
        self._settle(delivery_tag, multiple)

    def _on_nack(self, delivery_tag: int, multiple: bool) -> None:
        self._refused.update(self._settle(delivery_tag, multiple))

    def _on_return(self, _error: Any, _exchange: str, routing_key: str, message: Any) -> None:
        log.error("bus.unroutable", routing_key=routing_key, message_id=message.properties.get("message_id"))
        self._returned.add(message.properties.get("message_id"))

    def _on_blocked(self, reason: str) -> None:
        log.warning("bus.blocked", reason=reason)
        self._alarmed = True
        self._set_blocked(True)

    def _on_unblocked(self) -> None:
        self._alarmed = False
        self._set_blocked(False)

    def _set_blocked(self, blocked: bool) -> None:
        self.blocked = blocked
        BLOCKED.set(blocked)
