"""The base of all consumers: connect, read in batches, process, settle; and do it again after any failure.

The base class remembers what people forget: log context, retry ladder, dead letters, confirms before the ack, backoff,
liveness, receipts. A consumer never exits because a server is down. While the server behind its effects is away it
keeps its messages in hand instead of giving them back: the broker counts every delivery, and would take an outage for
the messages' fault.

A message that kills the whole process takes everything in hand with it, so each such death counts against innocents
too. What was delivered twice without a word goes, one by one, to `<queue>.alone`, which is read one message at a time:
from then on the broker's count is that message's own, and the one that killed its consumer five times is a dead letter.
"""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Protocol

import structlog

from ochaq_shared import failpoints
from ochaq_shared.bus import parking, topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect, read_ahead
from ochaq_shared.bus.delivery import DELIVERIES_HEADER, Delivery, Outcome, explain, number, own_headers
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events.base import CloudEvent, UnknownEvent
from ochaq_shared.health import Health
from ochaq_shared.receipts import Receipts
from ochaq_shared.telemetry import EVENTS_HANDLED, stories

log = structlog.get_logger(__name__)

BATCH = 50
IDLE_SECONDS = 1.0
MORE_SECONDS = 0.001
LARGEST_BYTES = 1024 * 1024
SUSPECT_DELIVERIES = 2
DEATHS = 3  # of a suspect that was alone; with the two before, five


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
        receipts: Receipts | None = None,
        batch: int = BATCH,
        parse: Callable[[bytes], CloudEvent] = CloudEvent.parse,
    ) -> None:
        """`parse` reads a body, raising `UnknownEvent`; plain commands are no CloudEvents and bring their own.

        `receipts` tell the relay which events it need not send again; the consumer owns and closes them.
        """
        self._url = amqp_url
        self._queue = queue
        self._processor = processor
        self._health = health
        self._receipts = receipts
        self._batch = batch
        self._read = parse
        self._inbound: list[Any] = []
        self._alone: list[Any] = []
        self._connection: Any = None
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
            except Exception as error:  # the broker is away: it comes back
                log.warning("consumer.interrupted", queue=self._queue.name, error=f"{type(error).__name__}: {error}")
            finally:
                self._disconnect()
            failures += 1
            self._health.beat()
            self.stopping.wait(_backoff(failures))
        if self._receipts is not None:
            self._receipts.close()

    def _check_connected(self) -> None:
        if self._connection is None:
            raise BrokerUnavailable("not connected")

    def _session(self) -> None:
        connection = connect(self._url, heartbeat=60)
        try:
            read_ahead(connection)
            channel = connection.channel()
            topology.declare(channel)
            self._listen(channel, self._queue.name, self._batch * 2, self._inbound)
            self._listen(connection.channel(), self._queue.alone, 1, self._alone)
        except BaseException:
            close(connection)
            raise
        self._connection = connection
        log.info("consumer.connected", queue=self._queue.name)
        while not self.stopping.is_set():
            self._health.beat()
            self._fill()
            if self._inbound:
                self._work(self._take())
            elif not self._alone and self._receipts is not None:
                self._receipts.flush()
            if self._alone:
                self._work_alone(self._alone.pop(0))
            connection.heartbeat_tick()

    @staticmethod
    def _listen(channel: Any, queue: str, prefetch: int, into: list[Any]) -> None:
        # Bodies stay the bytes they are, whatever encoding their properties claim.
        channel.auto_decode = False
        channel.basic_qos(0, prefetch, False)
        channel.basic_consume(queue, callback=into.append)

    def _disconnect(self) -> None:
        if self._connection is not None:
            close(self._connection)
        self._connection = None
        self._inbound.clear()
        self._alone.clear()
        self._publisher.close()

    def _fill(self) -> None:
        """Wait for a first message, then take what is already here; nobody waits for a batch to fill up."""
        try:
            if not (self._inbound or self._alone):
                self._connection.drain_events(timeout=IDLE_SECONDS)
            # Outside of the loop: each change of a socket's timeout is a call of the kernel.
            with self._connection.transport.having_timeout(MORE_SECONDS):
                while len(self._inbound) < self._batch:
                    self._connection.drain_events()
        except TimeoutError:
            return

    def _take(self) -> list[Any]:
        """The next batch, without the suspects, which are moved out of their neighbours' company."""
        messages, self._inbound[:] = self._inbound[: self._batch], self._inbound[self._batch :]
        company = []
        for message in messages:
            if _deliveries(message) < SUSPECT_DELIVERIES:
                company.append(message)
                continue
            log.warning("event.suspect", queue=self._queue.name, deliveries=_deliveries(message))
            headers = own_headers(message.headers or {})
            self._confirm([parking.moved(self._queue.alone, _id(message), message.body, headers)])
            message.channel.basic_ack(message.delivery_tag)
        return company

    def _work_alone(self, message: Any) -> None:
        deaths = _deliveries(message)
        if deaths < DEATHS:
            self._work([message])
            return
        deaths += SUSPECT_DELIVERIES
        log.error("event.deadly", queue=self._queue.name, deaths=deaths)
        self._bury(message, f"its consumer died {deaths} times with this message in hand")
        message.channel.basic_ack(message.delivery_tag)

    def _work(self, messages: Sequence[Any]) -> None:
        if not messages:
            return
        good = [delivery for message in messages if (delivery := self._parse(message)) is not None]
        outcomes = self._process(good) if good else []
        failpoints.hit("consumer.processed")
        pairs = list(zip(good, outcomes, strict=True))
        self._park([(delivery, outcome) for delivery, outcome in pairs if not outcome.acked])
        messages[-1].channel.basic_ack(messages[-1].delivery_tag, multiple=True)
        self._tell(pairs)

    def _process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """Process, waiting with the messages in hand as long as the server behind the effects is away."""
        failures = 0
        while True:
            try:
                return self._processor.process(deliveries)
            except Exception as error:
                failures += 1
                if self.stopping.is_set():
                    raise
                told = f"{type(error).__name__}: {error}"
                log.warning("consumer.waiting", queue=self._queue.name, events=len(deliveries), error=told)
                self._wait(_backoff(failures))

    def _wait(self, seconds: float) -> None:
        """Wait without falling silent towards the broker; raises when the broker is gone too."""
        self._health.beat()
        try:
            self._connection.drain_events(timeout=seconds)
        except TimeoutError:
            pass
        else:
            self.stopping.wait(seconds)
        self._connection.heartbeat_tick()

    def _tell(self, pairs: Sequence[tuple[Delivery, Outcome]]) -> None:
        if not pairs:
            return
        told = stories(delivery.event.requestid for delivery, _ in pairs)
        log.info("events.settled", queue=self._queue.name, events=len(pairs), request_ids=told)
        for (kind, word), many in Counter((delivery.event.type, outcome.word) for delivery, outcome in pairs).items():
            EVENTS_HANDLED.labels(self._queue.name, kind, word).inc(many)
        if self._receipts is not None:
            over = [delivery.event.id for delivery, outcome in pairs if outcome.acked or outcome.dead]
            self._receipts.settled(self._queue.name, over)

    def _parse(self, message: Any) -> Delivery | None:
        """The event in a message; what cannot be read is a dead letter at once."""
        try:
            if len(message.body) > LARGEST_BYTES:
                raise UnknownEvent(f"{len(message.body)} bytes are more than an event may have")
            event = self._read(message.body)
        except Exception as error:  # whatever a parser meets in a foreign body must not stop the queue
            log.error("event.unreadable", queue=self._queue.name, error=explain(error))
            self._bury(message, explain(error))
            return None
        headers = own_headers(message.headers or {})
        return Delivery(message.delivery_tag, event, message.body, headers, message.delivery_info["routing_key"])

    def _bury(self, message: Any, error: str) -> None:
        headers = own_headers(message.headers or {})
        kind = str(message.properties.get("type", ""))
        key = message.delivery_info["routing_key"]
        self._confirm([parking.dead(self._queue, _id(message), kind, message.body, headers, key, error)])

    def _park(self, failed: Sequence[tuple[Delivery, Outcome]]) -> None:
        """Send failed events on to a retry queue or to the dead letters, confirmed, before they are acked."""
        if failed:
            self._confirm([parking.parked(self._queue, delivery, outcome) for delivery, outcome in failed])

    def _confirm(self, messages: list[Message]) -> None:
        """Publish what must not be lost, however long that takes; raises when stopping or when the broker is gone."""
        failures = 0
        while True:
            try:
                refused = [verdict for verdict in self._publisher.publish(messages) if verdict]
                if not refused:
                    return
                told = refused[0]
                # Its next connection declares the queue that may be missing.
                self._publisher.close()
            except BrokerUnavailable as error:
                told = str(error)
            if self.stopping.is_set():
                raise BrokerUnavailable(f"messages could not be parked: {told}")
            failures += 1
            log.warning("consumer.cannot_park", queue=self._queue.name, messages=len(messages), error=told)
            self._wait(_backoff(failures))


def _backoff(failures: int) -> float:
    return min(5.0, 0.2 * 2.0 ** min(failures, 10)) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter


def _deliveries(message: Any) -> int:
    """How often the broker had given this message to somebody who never answered."""
    return number(message.headers or {}, DELIVERIES_HEADER)


def _id(message: Any) -> str:
    return str(message.properties.get("message_id", ""))
