"""The spine on real servers: what commits is published, in order, and takes effect once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from ochaq_shared import outbox
from ochaq_shared.bus import dead_letters, topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.commands import celery_command
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved, StudentsBatchCreated
from ochaq_shared.health import Health
from outbox_rig import PsycopgWork, Rig, consuming

QUEUE = topology.SEARCH_STUDENTS


def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


def pending(rig: Rig) -> int:
    with rig.connect() as connection:
        row = connection.execute("SELECT count(*) FROM outbox WHERE published_at IS NULL").fetchone()
        assert row is not None
        return int(row[0])


def emit(rig: Rig, subjects: int, versions: int) -> None:
    with rig.connect() as connection:
        for version in range(1, versions + 1):
            for subject in range(subjects):
                outbox.emit(connection, StudentRemoved(id=subject), subject=f"student:{subject}", version=version)
            connection.commit()
        outbox.wake(connection)


@pytest.fixture
def effects(rig: Rig) -> Iterator[tuple[Consumer, Callable[[], list[Any]]]]:
    work = PsycopgWork(rig.database)

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if what.id == 666:
            raise ValueError("poison")
        work.connection.execute(
            "INSERT INTO effect (event_id, subject, version) VALUES (%s, %s, %s)",
            (event.id, event.subject, event.version),
        )

    consumer = Consumer(rig.amqp, QUEUE, InboxProcessor("t", work, {StudentRemoved: handle}), Health("t", "consume"))

    def rows() -> list[Any]:
        with rig.connect() as connection:
            return connection.execute("SELECT event_id, subject, version FROM effect ORDER BY position").fetchall()

    yield consumer, rows
    work.connection.close()


def test_events_take_effect_once_and_in_order_per_subject(rig: Rig, effects: Any) -> None:
    consumer, rows = effects
    with rig.relay(), consuming(consumer):
        emit(rig, subjects=20, versions=10)
        until(lambda: len(rows()) == 200)
    for subject in range(20):
        assert [row[2] for row in rows() if row[1] == f"student:{subject}"] == list(range(1, 11))


def test_a_rolled_back_transaction_publishes_nothing(rig: Rig) -> None:
    with rig.connect() as connection:
        outbox.emit(connection, StudentRemoved(id=1), subject="student:1", version=1)
        connection.rollback()
    assert pending(rig) == 0


def test_two_relays_share_the_work_and_keep_the_order(rig: Rig, effects: Any) -> None:
    consumer, rows = effects
    with rig.relay(), rig.relay(), consuming(consumer):
        emit(rig, subjects=10, versions=30)
        until(lambda: len(rows()) == 300)
    for subject in range(10):
        assert [row[2] for row in rows() if row[1] == f"student:{subject}"] == list(range(1, 31))


def test_a_redelivered_event_has_one_effect(rig: Rig, effects: Any) -> None:
    consumer, rows = effects
    event = CloudEvent.of(StudentRemoved(id=1), subject="student:1", version=1)
    publisher = Publisher(rig.amqp)
    message = Message(event.id, outbox.EVENTS_EXCHANGE, event.type, event.encode())
    assert publisher.publish([message] * 5) == [None] * 5
    with consuming(consumer):
        until(lambda: len(rows()) == 1)
        publisher.publish([message])
        other = CloudEvent.of(StudentRemoved(id=2), subject="student:2", version=1)
        publisher.publish([Message(other.id, outbox.EVENTS_EXCHANGE, other.type, other.encode())])
        until(lambda: len(rows()) == 2)
    publisher.close()
    assert [str(row[0]) for row in rows()] == [event.id, other.id]


def test_a_poison_event_is_parked_while_its_neighbours_go_on_and_can_be_replayed(
    rig: Rig, effects: Any, quick_ladder: None
) -> None:
    consumer, rows = effects
    with rig.relay(), consuming(consumer):
        with rig.connect() as connection:
            outbox.emit(connection, StudentRemoved(id=666), subject="student:666", version=1)
        emit(rig, subjects=5, versions=1)
        until(lambda: len(rows()) == 5, 5)
        until(lambda: len(dead_letters.peek(rig.amqp)) == 1)
        (letter,) = dead_letters.peek(rig.amqp)
        assert letter.queue == QUEUE.name and "poison" in letter.error
        with rig.connect() as connection:
            row = connection.execute("SELECT attempts, done_at FROM inbox WHERE done_at IS NULL").fetchone()
        assert row == (5, None)
    assert [
        found.id for found in dead_letters.replay(rig.amqp, dead_letters.Selection(ids=frozenset({letter.id})))
    ] == [letter.id]
    assert dead_letters.peek(rig.amqp) == []
    until(lambda: depth(rig) == 1)


def depth(rig: Rig) -> int:
    connection = connect(rig.amqp)
    with closing(connection):
        return topology.depth(connection.channel(), QUEUE.name)[0]


def test_an_unreadable_message_is_a_dead_letter_at_once(rig: Rig, effects: Any) -> None:
    consumer, rows = effects
    publisher = Publisher(rig.amqp)
    publisher.publish([Message("x", outbox.EVENTS_EXCHANGE, "ochaq.students.x", b"not json")])
    publisher.close()
    with consuming(consumer):
        until(lambda: len(dead_letters.peek(rig.amqp)) == 1)
    assert rows() == []


def test_a_batch_handler_that_fails_parks_only_the_poison(rig: Rig, quick_ladder: None) -> None:
    seen: list[int] = []

    def handle(events: Any) -> None:
        ids = [event.data["id"] for event in events]
        if 666 in ids:
            raise ValueError("poison")
        seen.extend(ids)

    consumer = Consumer(rig.amqp, QUEUE, BatchProcessor(handle, max_attempts=2), Health("t", "consume"))
    events = [CloudEvent.of(StudentRemoved(id=n), subject=f"student:{n}", version=1) for n in (1, 666, 2)]
    publisher = Publisher(rig.amqp)
    publisher.publish([Message(e.id, outbox.EVENTS_EXCHANGE, e.type, e.encode()) for e in events])
    publisher.close()
    with consuming(consumer):
        until(lambda: len(dead_letters.peek(rig.amqp)) == 1)
    assert sorted(seen) == [1, 2]


def test_an_unroutable_message_is_told_and_kept(rig: Rig) -> None:
    publisher = Publisher(rig.amqp)
    (verdict,) = publisher.publish([Message("m", "", "no.such.queue", b"{}")])
    assert verdict == "unroutable"
    # On the events' exchange the alternate exchange keeps what nobody is bound to.
    assert publisher.publish([Message("n", outbox.EVENTS_EXCHANGE, "ochaq.nobody.listens.x.v1", b"{}")]) == [None]
    publisher.close()
    connection = connect(rig.amqp)
    with closing(connection):
        message = connection.channel().basic_get(topology.UNROUTED_QUEUE, no_ack=True)
    assert message.properties["message_id"] == "n"


def test_a_celery_command_reaches_its_queue_in_celerys_format(rig: Rig) -> None:
    with rig.connect() as connection:
        outbox.send(connection, celery_command("ochaq.jobs.run", "job-1", "jobs.short"))
    with rig.relay():
        until(lambda: pending(rig) == 0)
    connection = connect(rig.amqp)
    with closing(connection):
        message = connection.channel().basic_get("jobs.short", no_ack=True)
    assert message.headers["task"] == "ochaq.jobs.run" and message.headers["id"] == "job-1"
    assert message.properties["correlation_id"] == "job-1"


def partitions(rig: Rig) -> set[str]:
    with rig.connect() as connection:
        rows = connection.execute("SELECT relname FROM pg_class WHERE relname ~ '^outbox_[0-9]{8}$'").fetchall()
    return {row[0] for row in rows}


def test_old_partitions_go_and_new_ones_are_made(rig: Rig) -> None:
    with rig.connect() as connection:
        old = "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        connection.execute(f"CREATE TABLE outbox_20200101 PARTITION OF outbox {old}")
    with rig.relay():
        until(lambda: len(partitions(rig)) == 3 and "outbox_20200101" not in partitions(rig))
        emit(rig, subjects=1, versions=1)
        until(lambda: pending(rig) == 0)


def test_an_unpublished_message_keeps_its_old_partition(rig: Rig) -> None:
    with rig.connect() as connection:
        old = "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
        connection.execute(f"CREATE TABLE outbox_20200101 PARTITION OF outbox {old}")
        outbox.emit(connection, StudentRemoved(id=1), subject="student:1", version=1)
        # Moved far into the past, and not to be published yet.
        connection.execute("UPDATE outbox SET created_at = '2020-01-01 12:00+00', next_at = now() + interval '1 hour'")
    with rig.relay():
        until(lambda: len(partitions(rig)) == 4)
    assert pending(rig) == 1


def test_a_batch_event_keeps_its_fields(rig: Rig) -> None:
    with rig.connect() as connection:
        event = outbox.emit(
            connection, StudentsBatchCreated(first_id=1, last_id=2, count=2, job_id="j"), subject="students", version=1
        )
        row = connection.execute("SELECT body, shard FROM outbox").fetchone()
    assert row is not None
    assert row[0] == event.model_dump() and row[1] == outbox.shard_of("students")
