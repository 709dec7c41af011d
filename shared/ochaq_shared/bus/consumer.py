"""The base of all consumers: connect, read in batches, process, settle; and do it again after any failure.

The base class remembers what people forget: log context, retry ladder, dead letters, confirms before the ack, backoff,
liveness. A consumer never exits because a server is down.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER, Delivery, Outcome
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events.base import CloudEvent, UnknownEvent
from ochaq_shared.health import Health
from ochaq_shared.telemetry import EVENTS_HANDLED, stories

log = structlog.get_logger(__name__)

BATCH = 50
IDLE_SECONDS = 1.0
LADDER = ("retry.1s", "retry.1s", "retry.10s", "retry.10s", "retry.1m")


class Processor(Protocol):
    def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]: ...


class Consumer:
    """Reads one queue. `run` returns only after `stop`, or when `stopping` is set."""

    def __init__(
        self,
        amqp_url: str,
        queue: topology.Queue,
        processor: Processor,
        health: Health,
        *,
        batch: int = BATCH,
        parse: Callable[[bytes], CloudEvent] = CloudEvent.parse,
    ) -> None:
        """`parse` reads a body, raising `UnknownEvent`; plain commands are no CloudEvents and bring their own."""
        self._url = amqp_url
        self._queue = queue
        self._processor = processor
        self._health = health
        self._batch = batch
        self._read = parse
        self._inbound: list[Any] = []
        self._connection: Any = None
        self._channel: Any = None
        self._publisher = Publisher(amqp_url)
        self.stopping = threading.Event()
        health.check(f"rabbitmq:{queue.name}", self._check_connected)

    def stop(self) -> None:
        """Ask `run` to return after the batch in hand."""
        self.stopping.set()

    def run(self) -> None:
        """Consume until stopped, reconnecting with capped, jittered backoff."""
        failures = 0
        while not self.stopping.is_set():
            try:
                self._session()
                failures = 0
            except Exception as error:  # the broker, the database or Redis is away: all of them come back
                log.warning("consumer.interrupted", queue=self._queue.name, error=f"{type(error).__name__}: {error}")
            finally:
                self._disconnect()
            failures += 1
            self._health.beat()
            self.stopping.wait(min(5.0, 0.2 * 2**failures) * random.uniform(0.5, 1.0))  # noqa: S311 - jitter

    def _check_connected(self) -> None:
        if self._connection is None:
            raise BrokerUnavailable("not connected")

    def _session(self) -> None:
        connection = connect(self._url, heartbeat=60)
        self._channel = connection.channel()
        topology.declare(self._channel)
        self._channel.basic_qos(0, self._batch * 2, False)
        self._channel.basic_consume(self._queue.name, callback=self._inbound.append)
        self._connection = connection
        log.info("consumer.connected", queue=self._queue.name)
        while not self.stopping.is_set():
            self._health.beat()
            self._fill()
            if self._inbound:
                self._work()
            connection.heartbeat_tick()

    def _disconnect(self) -> None:
        if self._connection is not None:
            close(self._connection)
        self._connection = self._channel = None
        self._inbound.clear()
        self._publisher.close()

    def _fill(self) -> None:
        """Wait for a first message, then take what is already here; nobody waits for a batch to fill up."""
        timeout = IDLE_SECONDS
        while len(self._inbound) < self._batch:
            try:
                self._connection.drain_events(timeout=timeout)
            except TimeoutError:
                return
            timeout = 0.001

    def _work(self) -> None:
        messages, self._inbound[:] = self._inbound[: self._batch], self._inbound[self._batch :]
        good: list[Delivery] = []
        for message in messages:
            delivery = self._parse(message)
            if delivery is not None:
                good.append(delivery)
        outcomes = self._processor.process(good) if good else []
        self._park([(d, o) for d, o in zip(good, outcomes, strict=True) if not o.acked])
        self._channel.basic_ack(messages[-1].delivery_tag, multiple=True)
        if good:
            told = stories(delivery.event.requestid for delivery in good)
            log.info("events.settled", queue=self._queue.name, events=len(good), request_ids=told)
        for delivery, outcome in zip(good, outcomes, strict=True):
            word = "handled" if outcome.acked else "dead" if outcome.dead else "retried"
            EVENTS_HANDLED.labels(self._queue.name, delivery.event.type, word).inc()

    def _parse(self, message: Any) -> Delivery | None:
        body = message.body if isinstance(message.body, bytes) else str(message.body).encode()
        headers = dict(message.headers or {})
        try:
            event = self._read(body)
        except UnknownEvent as error:
            log.error("event.unreadable", queue=self._queue.name, error=str(error))
            self._confirm([self._dead_message(body, headers, message.delivery_info["routing_key"], str(error))])
            return None
        return Delivery(message.delivery_tag, event, body, headers, message.delivery_info["routing_key"])

    def _park(self, failed: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Send failed events on to a retry queue or to the dead letters, confirmed, before they are acked."""
        if failed:
            self._confirm([self._parked(delivery, outcome) for delivery, outcome in failed])

    def _parked(self, delivery: Delivery, outcome: Outcome) -> Message:
        headers = {**delivery.headers, ATTEMPTS_HEADER: outcome.attempts}
        if outcome.dead:
            return self._dead_message(delivery.body, headers, delivery.routing_key, outcome.error)
        ladder = LADDER[min(outcome.attempts, len(LADDER)) - 1]
        # The routing key names the queue the message goes back to when its wait is over.
        return Message(delivery.event.id, ladder, self._queue.name, delivery.body, headers, delivery.event.type)

    def _dead_message(self, body: bytes, headers: dict[str, Any], routing_key: str, error: str) -> Message:
        notes = {"ochaq-queue": self._queue.name, "ochaq-routing-key": routing_key, "ochaq-error": error[:500]}
        return Message("", topology.DEAD_EXCHANGE, self._queue.name, body, {**headers, **notes})

    def _confirm(self, messages: list[Message]) -> None:
        if any(self._publisher.publish(messages)):
            raise BrokerUnavailable("a failed event could not be parked; it will be delivered again")
