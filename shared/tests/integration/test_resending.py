"""What a queue lost comes again, and a stretch of the past can be replayed; on real servers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ochaq_servers import Servers
from ochaq_shared import reconcile
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, connect
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.cli.main import main
from ochaq_shared.events import CloudEvent
from ochaq_shared.health import Health
from ochaq_shared.outbox import RELAY_SQL
from ochaq_shared.outbox_rows import RESENT_HEADER
from ochaq_shared.receipts import Receipts
from ochaq_shared.reconcile import Reconciler
from ochaq_shared.replay import Position, ReplayRefused, ReplayStopped, Stretch, held_back, replay
from outbox_rig import Rig, consuming, emit, number, pending, until
from redis import Redis

QUEUE = topology.SEARCH_STUDENTS
OTHER = topology.REALTIME_PROJECT
AFTER = 0.3


@dataclass
class Bus:
    """A rig whose events have been published, and what looks after them."""

    rig: Rig
    redis: str
    reconciler: Reconciler

    def publish(self, *subjects: int, version: int = 1) -> list[str]:
        with self.rig.connect() as connection:
            ids = [emit(connection, subject, version) for subject in subjects]
        with self.rig.relay():
            until(lambda: pending(self.rig) == 0)
        return ids

    def decided(self) -> None:
        """As if all transactions were long over: those of other tests on the same server hold a replay back too."""
        with self.rig.connect() as connection:
            connection.execute("UPDATE outbox SET txid = id::text::xid8")

    def settled(self, *queues: topology.Queue) -> None:
        """Receipts for everything there is so far, as consumers of these queues write them."""
        with self.rig.connect() as connection:
            ids = [str(row[0]) for row in connection.execute("SELECT event_id FROM outbox").fetchall()]
        for queue in queues:
            receipts = Receipts(self.redis)
            receipts.settled(queue.name, ids)
            receipts.close()

    def take(self, queue: topology.Queue) -> list[tuple[str, bool]]:
        """Ids of the messages in a queue, and whether they say that they came again."""
        found: list[Any] = []
        connection = connect(self.rig.amqp)
        with closing(connection):
            channel = connection.channel()
            waiting = topology.depth(channel, queue.name)[0]
            channel.basic_consume(queue.name, callback=found.append, no_ack=True)
            while len(found) < waiting:
                connection.drain_events(timeout=10)
        return [(message.properties["message_id"], RESENT_HEADER in message.headers) for message in found]

    def broker(self, act: Callable[[Any], Any]) -> None:
        connection = connect(self.rig.amqp)
        with closing(connection):
            act(connection.channel())

    def round(self) -> int:
        """One round that looks at everything published so far."""
        with self.rig.connect() as connection:
            connection.execute("UPDATE outbox_resent SET look_at = now()")
            connection.execute("SELECT pg_sleep(%s)", (AFTER,))
        return self.reconciler.round()


@pytest.fixture
def bus(rig: Rig, servers: Servers) -> Bus:
    redis = servers.redis_url(9)
    reconciler = Reconciler("test", rig.database, rig.amqp, redis, after=AFTER)
    reconciler.round()  # the first one only notes from when on
    return Bus(rig, redis, reconciler)


def test_what_was_handled_everywhere_is_not_sent_again(bus: Bus) -> None:
    bus.publish(1, 2)
    bus.settled(QUEUE, OTHER)
    bus.take(QUEUE), bus.take(OTHER)
    assert bus.round() == 0
    assert bus.take(QUEUE) == [] and bus.take(OTHER) == []


def test_a_purged_queue_gets_back_what_it_lost_and_its_neighbour_nothing(bus: Bus) -> None:
    handled = bus.publish(1, 2)
    bus.settled(QUEUE)
    lost = bus.publish(3, 4, 5)
    bus.settled(OTHER)
    bus.broker(lambda channel: [channel.queue_purge(queue.name) for queue in (QUEUE, OTHER)])
    assert bus.round() == 3
    assert bus.take(QUEUE) == [(event_id, True) for event_id in lost]
    assert bus.take(OTHER) == []
    assert not set(handled) & set(lost)


def test_a_deleted_queue_is_made_again_with_what_it_lost(bus: Bus) -> None:
    lost = bus.publish(1, 2)
    bus.settled(OTHER)
    bus.broker(lambda channel: channel.queue_delete(QUEUE.name))
    assert bus.round() == 2
    assert [event_id for event_id, _ in bus.take(QUEUE)] == lost


def test_a_queue_that_is_behind_is_not_flooded_but_not_forgotten_either(bus: Bus) -> None:
    ids = bus.publish(*range(10))
    bus.settled(OTHER)
    assert bus.round() == 0
    assert len(bus.take(QUEUE)) == 10
    # They were taken without a receipt: lost after all.
    assert bus.round() == 10
    assert [event_id for event_id, _ in bus.take(QUEUE)] == ids


def test_a_queue_lost_twice_gets_its_events_twice_and_then_they_are_given_up(bus: Bus) -> None:
    bus.publish(1)
    bus.settled(OTHER)
    bus.take(QUEUE)
    told = []
    for _ in range(reconcile.TRIES + 1):
        told.append(bus.round())
        bus.take(QUEUE)
    assert told == [1] * reconcile.TRIES + [0]


def test_what_is_lost_next_does_not_wait_for_what_was_sent_again(bus: Bus) -> None:
    first = bus.publish(1)
    bus.settled(OTHER)
    bus.take(QUEUE)
    assert bus.round() == 1
    with bus.rig.connect() as connection:
        connection.execute("UPDATE outbox_resent SET look_at = now() + interval '1 hour'")
    assert [event_id for event_id, _ in bus.take(QUEUE)] == first
    second = bus.publish(2)
    bus.settled(OTHER)
    bus.take(QUEUE)
    with bus.rig.connect() as connection:
        connection.execute("SELECT pg_sleep(%s)", (AFTER,))
    assert bus.reconciler.round() == 1
    assert [event_id for event_id, _ in bus.take(QUEUE)] == second
    # Each stretch has tries of its own, and is forgotten when it has been handled.
    bus.settled(QUEUE)
    assert bus.round() == 0
    assert number(bus.rig, "SELECT count(*) FROM outbox_resent") == 0


def test_a_database_from_before_there_were_stretches_gets_them_and_keeps_its_place(bus: Bus) -> None:
    place = "SELECT queue, checked_until FROM outbox_reconciled ORDER BY queue"
    with bus.rig.connect() as connection:
        connection.execute("DROP TABLE outbox_resent")
        connection.execute(
            "ALTER TABLE outbox_reconciled ADD COLUMN tries smallint NOT NULL DEFAULT 0,"
            " ADD COLUMN next_at timestamptz NOT NULL DEFAULT clock_timestamp()"
        )
        before = connection.execute(place).fetchall()
        for _ in range(2):  # safe to run again
            connection.execute(RELAY_SQL)
        assert connection.execute(place).fetchall() == before != []
    bus.publish(1)
    bus.settled(OTHER)
    bus.take(QUEUE)
    assert bus.round() == 1


def test_a_redis_that_lost_its_memory_makes_duplicates_and_loses_nothing(bus: Bus) -> None:
    ids = bus.publish(1, 2)
    bus.settled(QUEUE, OTHER)
    bus.take(QUEUE), bus.take(OTHER)
    with Redis.from_url(bus.redis) as redis:
        redis.flushdb()
    assert bus.round() == 4
    assert [event_id for event_id, _ in bus.take(QUEUE)] == ids


def test_a_real_consumer_gives_receipts_and_its_queue_is_left_alone(bus: Bus) -> None:
    seen: list[CloudEvent] = []
    receipts = Receipts(bus.redis)
    consumer = Consumer(bus.rig.amqp, QUEUE, BatchProcessor(seen.extend), Health("t", "c"), receipts=receipts)
    bus.publish(1, 2, 3)
    with consuming(consumer):
        until(lambda: len(seen) == 3)
    bus.settled(OTHER)
    assert bus.round() == 0
    assert bus.take(QUEUE) == []


def test_two_reconcilers_do_not_do_the_same_work(bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    bus.publish(1)
    bus.settled(OTHER)
    bus.take(QUEUE)
    inner: list[int] = []
    send = Reconciler._send

    def meanwhile(self: Reconciler, *words: Any) -> int:
        inner.append(Reconciler("b", bus.rig.database, bus.rig.amqp, bus.redis, after=AFTER).round())
        return send(self, *words)

    monkeypatch.setattr(Reconciler, "_send", meanwhile)
    assert bus.round() == 1
    assert inner == [0]


def test_the_thread_outlives_servers_that_are_away_and_stops_when_told(bus: Bus) -> None:
    lost = bus.publish(1)
    bus.settled(OTHER)
    bus.take(QUEUE)
    away = Reconciler("test", bus.rig.database, "amqp://nobody:x@127.0.0.1:1/none", bus.redis, after=AFTER)
    ours = Reconciler("test", bus.rig.database, bus.rig.amqp, bus.redis, after=AFTER)
    away.start()
    ours.start()
    until(lambda: any(event_id in lost for event_id, _ in bus.take(QUEUE)))
    for each in (away, ours):
        each.stop()
        each.join()
        assert not each._thread.is_alive()


def test_a_queue_is_looked_after_from_the_start_and_not_from_the_second_look(bus: Bus) -> None:
    known = "SELECT count(*) FROM outbox_reconciled"
    with database(bus.rig) as connection:
        connection.execute("DELETE FROM outbox_reconciled")
    # The second look is 24 seconds away.
    patient = Reconciler("test", bus.rig.database, bus.rig.amqp, bus.redis, after=300)
    patient.start()
    try:
        until(lambda: number(bus.rig, known) > 0, 10)
    finally:
        patient.stop()
        patient.join()


# --- replay


@contextmanager
def database(rig: Rig) -> Iterator[Any]:
    with rig.connect() as connection:
        connection.autocommit = True
        yield connection


def stretch(**values: Any) -> Stretch:
    now = datetime.now(UTC)
    return Stretch(**{"since": now - timedelta(hours=1), "until": now + timedelta(hours=1), **values})


def test_a_replay_sends_everything_again_in_the_order_of_commits(bus: Bus) -> None:
    ids = [event_id for version in (1, 2, 3) for event_id in bus.publish(1, 2, version=version)]
    bus.take(QUEUE), bus.take(OTHER)
    bus.decided()
    with database(bus.rig) as connection:
        sent, position = replay(connection, bus.rig.amqp, stretch())
        assert sent == 6
        assert replay(connection, bus.rig.amqp, stretch(after=position)) == (0, position)
    assert bus.take(QUEUE) == [(event_id, True) for event_id in ids]
    assert [event_id for event_id, _ in bus.take(OTHER)] == ids


def test_a_replay_to_one_queue_sends_what_that_queue_is_bound_to(bus: Bus) -> None:
    ids = bus.publish(1, 2)
    bus.take(QUEUE), bus.take(OTHER)
    bus.decided()
    with database(bus.rig) as connection:
        assert replay(connection, bus.rig.amqp, stretch(queue=QUEUE.name))[0] == 2
        assert replay(connection, bus.rig.amqp, stretch(queue=topology.FILES_EVENTS.name))[0] == 0
        assert replay(connection, bus.rig.amqp, stretch(types="ochaq.jobs.*"))[0] == 0
        assert replay(connection, bus.rig.amqp, stretch(types="ochaq.students.*.removed.v?"))[0] == 2
    assert [event_id for event_id, _ in bus.take(OTHER)] == ids


def test_a_replay_does_not_read_past_a_transaction_that_still_runs(bus: Bus) -> None:
    with bus.rig.connect() as old:
        emit(old, 1, 1)
        with bus.rig.connect() as connection:
            emit(connection, 2, 1)
            connection.commit()
            connection.execute("UPDATE outbox SET published_at = now()")
        with database(bus.rig) as connection:
            assert replay(connection, bus.rig.amqp, stretch())[0] == 0
            assert held_back(connection, stretch()) == 1
            old.commit()
            connection.execute("UPDATE outbox SET published_at = now()")
            bus.decided()
            assert replay(connection, bus.rig.amqp, stretch())[0] == 2


def test_a_replay_that_is_broken_off_says_where_and_goes_on_from_there(
    bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = bus.publish(*range(5))
    bus.take(QUEUE)
    bus.decided()
    monkeypatch.setattr("ochaq_shared.replay.BATCH", 2)
    publish = reconcile.Publisher.publish
    calls: list[int] = []

    def breaking(self: Any, messages: Any) -> Any:
        calls.append(len(messages))
        if len(calls) == 2:
            raise BrokerUnavailable("gone")
        return publish(self, messages)

    monkeypatch.setattr("ochaq_shared.replay.Publisher.publish", breaking)
    with database(bus.rig) as connection:
        with pytest.raises(ReplayStopped, match="2 events were sent") as stopped:
            replay(connection, bus.rig.amqp, stretch())
        assert replay(connection, bus.rig.amqp, stretch(after=stopped.value.position))[0] == 3
    assert [event_id for event_id, _ in bus.take(QUEUE)] == ids


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"since": datetime(2020, 1, 1, tzinfo=UTC)}, "keeps 14 days"),
        ({"until": datetime(2020, 1, 1, tzinfo=UTC)}, "ends before it begins"),
        ({"queue": "q.nobody"}, "no queue of events"),
        ({"queue": "jobs.short"}, "no queue of events"),
    ],
)
def test_what_cannot_be_replayed_is_refused_with_a_sentence(values: dict[str, Any], why: str) -> None:
    with pytest.raises(ReplayRefused, match=why):
        stretch(**values)


def test_positions_are_read_as_they_are_written() -> None:
    assert Position.parse(str(Position(12, 34))) == Position(12, 34)


def test_the_command_counts_sends_and_writes_down_that_it_did(
    bus: Bus, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ids = bus.publish(1, 2)
    bus.take(QUEUE)
    bus.decided()
    monkeypatch.setenv("OCHAQ_DATABASE_URL", bus.rig.database)
    monkeypatch.setenv("OCHAQ_AMQP_URL", bus.rig.amqp)
    now = datetime.now(UTC)
    times = ["--from", (now - timedelta(hours=1)).isoformat(), "--to", (now + timedelta(hours=1)).isoformat()]
    words = ["outbox", "replay", "--service", "web", *times, "--json"]
    capsys.readouterr()  # what the relay logged
    assert main([*words, "--dry-run"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"type": "ochaq.students.student.removed.v1", "events": 2}]
    assert bus.take(QUEUE) == []
    assert main([*words, "--queue", QUEUE.name, "--reason", "a new index"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["events"] == 2
    assert [event_id for event_id, _ in bus.take(QUEUE)] == ids
    assert len(bus.take(topology.WEB_EVENTS)) == 2  # ops.action.taken, requested and done
    with pytest.raises(SystemExit, match="keeps 14 days"):
        main(["outbox", "replay", "--service", "web", "--from", "2020-01-01", "--to", "2020-01-02"])


def test_binding_patterns_route_as_a_topic_exchange_does(rig: Rig) -> None:
    cases = {
        "ochaq.students.#": {"ochaq.students", "ochaq.students.student.removed.v1"},
        "ochaq.*.v1": {"ochaq.a.v1"},
        "#": {"a", "ochaq.students", "ochaq.students.student.removed.v1", "ochaq.a.v1", "ochaq.a.b.v1", "ochaqs.a.v1"},
        "#.v1": {"ochaq.students.student.removed.v1", "ochaq.a.v1", "ochaq.a.b.v1", "ochaqs.a.v1"},
    }
    keys = sorted(cases["#"])
    sql = "SELECT array_agg(k ORDER BY k) FROM unnest(%s::text[]) AS k WHERE '.' || k ~ %s"
    with rig.connect() as connection:
        for binding, wanted in cases.items():
            row = connection.execute(sql, (keys, reconcile.pattern((binding,)))).fetchone()
            assert row is not None
            assert set(row[0]) == wanted, binding
