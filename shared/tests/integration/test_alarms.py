"""A broker whose disk or memory alarm is on: noticed at once, waited for, and nothing is lost or sent twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from ochaq_shared.bus import dead_letters, topology
from ochaq_shared.bus.connection import BrokerUnavailable, connect
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.bus.publisher import BLOCKED, Message, Publisher, PublishingBlocked
from ochaq_shared.cli.audit import audited
from ochaq_shared.cli.main import main
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from ochaq_shared.outbox import EVENTS_EXCHANGE
from ochaq_shared.relay import Relay
from ochaq_sources import local
from outbox_rig import Rig, consuming, emit, pending, running
from server_addresses import Servers

pytestmark = pytest.mark.slow
QUEUE = topology.SEARCH_STUDENTS


class Broker:
    """A RabbitMQ of this module's own: an alarm would stop every other test too."""

    def __init__(self) -> None:
        self._source = local()
        self.url = Servers(self._source).amqp_url()
        self._alarmed = False

    def alarm(self) -> None:
        self._alarmed = True
        self._source.rabbitmqctl("set_disk_free_limit", "9000GB")

    def calm(self) -> None:
        if self._alarmed:
            self._source.rabbitmqctl("set_disk_free_limit", "1MB")
        self._alarmed = False

    def end(self) -> None:
        self._source.close()


@pytest.fixture(scope="module")
def started() -> Iterator[Broker]:
    found = Broker()
    yield found
    found.end()


@pytest.fixture
def broker(started: Broker) -> Iterator[Broker]:
    yield started
    started.calm()
    with closing(connect(started.url)) as connection:
        channel = connection.channel()
        for name in topology.names():
            channel.queue_purge(name)


@pytest.fixture
def publisher(broker: Broker) -> Iterator[Publisher]:
    found = Publisher(broker.url)
    found.open()
    yield found
    found.close()


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def removed(number: int) -> Message:
    event = CloudEvent.of(StudentRemoved(id=number), subject=f"student:{number}", version=1)
    return Message(event.id, EVENTS_EXCHANGE, event.type, event.encode(), {}, event.type)


def seconds(do: Callable[[], Any]) -> float:
    began = time.monotonic()
    with pytest.raises(BrokerUnavailable):
        do()
    return time.monotonic() - began


def depth(broker: Broker) -> int:
    with closing(connect(broker.url)) as connection:
        return topology.depth(connection.channel(), QUEUE.name)[0]


def until_blocked(publisher: Publisher) -> None:
    """The broker looks at its disk now and then; until it knows, it takes what comes."""

    def refused() -> bool:
        try:
            publisher.probe()
        except PublishingBlocked:
            return True
        return False

    until(refused)


def test_an_alarm_is_noticed_at_once_and_told_until_it_is_over(broker: Broker, publisher: Publisher) -> None:
    assert publisher.publish([removed(0)]) == [None]
    broker.alarm()
    until_blocked(publisher)
    assert publisher.blocked and BLOCKED._value.get() == 1
    for _ in range(5):
        assert seconds(lambda: publisher.publish([removed(n) for n in range(1, 201)])) < 2
        assert not publisher.connected, "what a blocked connection holds would be published twice"
    assert publisher.blocked
    broker.calm()
    until(lambda: _passes(publisher))
    assert not publisher.blocked and BLOCKED._value.get() == 0
    assert publisher.publish([removed(n) for n in range(1, 201)]) == [None] * 200
    until(lambda: depth(broker) == 201)
    time.sleep(0.5)
    assert depth(broker) == 201, "no refused attempt came through later"


def _passes(publisher: Publisher) -> bool:
    try:
        publisher.probe()
    except BrokerUnavailable:
        return False
    return True


def test_an_idle_publisher_notices_by_its_own_probes(
    broker: Broker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ochaq_shared.bus.publisher.PROBE_SECONDS", 0.2)
    publisher.probe()
    broker.alarm()

    def noticed() -> bool:
        publisher.tick()
        return publisher.blocked

    until(noticed)


def test_a_batch_larger_than_the_sockets_buffers_does_not_hang(broker: Broker, publisher: Publisher) -> None:
    large = [Message(str(n), EVENTS_EXCHANGE, "ochaq.students.x", b"x" * 4_000_000) for n in range(20)]
    broker.alarm()
    time.sleep(1)  # the alarm stands, and this connection has not been told: it published before
    assert seconds(lambda: publisher.publish(large)) < 11
    began = time.monotonic()
    publisher.close()
    assert time.monotonic() - began < 1


def test_a_consumer_that_cannot_park_waits_and_gives_nothing_back(
    broker: Broker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def handle(events: Any) -> None:
        ids = [event.data["id"] for event in events]
        if 666 in ids:
            raise ValueError("poison")
        seen.extend(ids)

    publisher.publish([removed(666), *(removed(n) for n in range(10))])
    broker.alarm()
    until_blocked(publisher)
    consumer = Consumer(broker.url, QUEUE, BatchProcessor(handle, max_attempts=1), Health("t", "consume"))
    with consuming(consumer):
        until(lambda: len(seen) == 10)
        time.sleep(1.5)
        assert len(seen) == 10, "nothing was given back and handled again"
        broker.calm()
        until(lambda: len(dead_letters.peek(broker.url)) == 1)
    assert sorted(seen) == list(range(10))
    until(lambda: depth(broker) == 0)


def test_the_command_says_that_nothing_is_taken(
    broker: Broker, publisher: Publisher, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("OCHAQ_AMQP_URL", broker.url)
    assert main(["bus", "status"]) == 0
    broker.alarm()
    until_blocked(publisher)
    capsys.readouterr()
    assert main(["bus", "status"]) == 1
    told = capsys.readouterr()
    assert "alarm" in told.err and QUEUE.name in told.out
    assert main(["dlq", "drop", "--reason", "because"]) == 0, "there is nothing to drop, so nothing to write down"
    with pytest.raises(SystemExit, match="nothing was done"), audited(broker.url, "x", targets=["y"], reason="z"):
        pytest.fail("a deed that nobody would know of was begun")


def test_an_idle_relay_says_that_it_is_blocked_and_goes_on_within_five_seconds(
    broker: Broker, rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ochaq_shared.bus.publisher.PROBE_SECONDS", 1.0)
    health = Health("t", "relay")
    relay = Relay("t", rig.database, broker.url, health)
    with running(relay.run, relay.stop):
        until(lambda: health.report()["ready"])
        broker.alarm()
        until(lambda: health.report()["checks"]["rabbitmq"]["error"] == "PublishingBlocked", 15)
        with rig.connect() as connection:
            emit(connection, 1, 1)
        with pytest.raises(AssertionError):
            until(lambda: pending(rig) == 0, 1)
        broker.calm()
        until(lambda: pending(rig) == 0, 5)
        until(lambda: health.report()["ready"])
    assert depth(broker) == 1


def test_the_command_prints_json_alone_while_the_library_warns(broker: Broker, publisher: Publisher) -> None:
    broker.alarm()
    until_blocked(publisher)
    words = [sys.executable, "-m", "ochaq_shared.cli.main", "bus", "status", "--json"]
    environment = {**os.environ, "OCHAQ_AMQP_URL": broker.url}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert {row["queue"] for row in json.loads(done.stdout)} >= {queue.name for queue in topology.QUEUES}
    assert "bus.blocked" in done.stderr
