"""The relay under faults, on real servers and in real processes: nothing lost, nothing out of order, effects once."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
import pytest
from ochaq_shared import failpoints, outbox, outbox_lag, relay
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.consumer import Consumer
from ochaq_shared.bus.delivery import BatchProcessor
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from ochaq_shared.outbox_partitions import maintain
from ochaq_shared.relay import Relay
from outbox_rig import PsycopgWork, Rig, consuming, emit, number, pending, until

QUEUE = topology.SEARCH_STUDENTS
RELAY = """
import signal, sys
from pathlib import Path
from ochaq_shared import failpoints
from ochaq_shared.health import Health
from ochaq_shared.relay import Relay
if len(sys.argv) > 3:
    failpoints.configure(Path(sys.argv[3]))
relay = Relay("test", sys.argv[1], sys.argv[2], Health("test", "relay"))
signal.signal(signal.SIGTERM, lambda *_: relay.stop())
relay.run()
"""


@contextmanager
def process(rig: Rig, *more: str) -> Iterator[subprocess.Popen[bytes]]:
    started = subprocess.Popen([sys.executable, "-c", RELAY, rig.database, rig.amqp, *more], stdout=subprocess.DEVNULL)
    try:
        yield started
    finally:
        if started.poll() is None:
            started.send_signal(signal.SIGCONT)
            started.terminate()
        started.wait(20)


@dataclass
class Seen:
    """What arrived at the queue, in order, whatever it was: no inbox in between."""

    events: list[CloudEvent]

    def inversions(self) -> list[str]:
        """Subjects of which an older version came for the first time after a younger one."""
        newest: dict[str, int] = {}
        wrong, known = [], set()
        for event in self.events:
            if event.id not in known and event.version < newest.get(event.subject, 0):
                wrong.append(event.subject)
            known.add(event.id)
            newest[event.subject] = max(event.version, newest.get(event.subject, 0))
        return wrong

    def lost(self, committed: set[str]) -> set[str]:
        """The loss checker: what was committed and never came."""
        return committed - {event.id for event in self.events}

    def copies(self) -> Counter[str]:
        return Counter(event.id for event in self.events)


@pytest.fixture
def seen(rig: Rig) -> Iterator[Seen]:
    found = Seen([])
    consumer = Consumer(rig.amqp, QUEUE, BatchProcessor(found.events.extend), Health("t", "consume"))
    with consuming(consumer):
        yield found


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "failpoints.json"


@pytest.fixture
def armed(file: Path) -> Iterator[Path]:
    """What is written into this file holds in this process too."""
    failpoints.configure(file)
    yield file
    failpoints.configure(None)


@pytest.mark.parametrize("subjects", [400, pytest.param(4000, marks=pytest.mark.long)])
@pytest.mark.alone
def test_two_relays_lose_and_invert_nothing_when_one_is_killed(rig: Rig, seen: Seen, subjects: int) -> None:
    committed: set[str] = set()

    def produce() -> None:
        with rig.connect() as connection:
            for version in range(1, 6):
                for first in range(0, subjects, 50):
                    committed.update(emit(connection, subject, version) for subject in range(first, first + 50))
                    connection.commit()

    with process(rig) as first, process(rig):
        until(lambda: number(rig, HOLDERS) == 2)
        producing = threading.Thread(target=produce)
        producing.start()
        until(lambda: len(seen.events) > subjects)
        first.kill()
        killed = time.monotonic()
        until(lambda: number(rig, HELD) == outbox.SHARDS, 3)
        assert time.monotonic() - killed < 3
        producing.join()
        until(lambda: pending(rig) == 0)
        until(lambda: not seen.lost(committed))
    assert len(committed) == 5 * subjects
    assert seen.inversions() == []


OURS = "locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
HOLDERS = f"SELECT count(DISTINCT pid) FROM pg_locks WHERE {OURS} AND classid = 717 AND granted"
HELD = f"SELECT count(*) FROM pg_locks WHERE {OURS} AND classid = 717 AND granted"
SHARES = (
    f"SELECT coalesce(max(n), 0) FROM (SELECT count(*) n FROM pg_locks WHERE {OURS} AND classid = 717 GROUP BY pid) a"
)


def test_a_relay_hands_half_of_its_shards_to_a_second_one(rig: Rig) -> None:
    with rig.relay():
        until(lambda: number(rig, SHARES) == outbox.SHARDS)
        with rig.relay() as second:
            until(lambda: number(rig, SHARES) == outbox.SHARDS // 2 and number(rig, HELD) == outbox.SHARDS)
            second.stop()
            until(lambda: number(rig, SHARES) == outbox.SHARDS, 3)


def test_a_relay_that_cannot_publish_leaves_its_shards_to_others(rig: Rig) -> None:
    with Rig(rig.database, "amqp://nobody:x@127.0.0.1:1/none").relay(), rig.relay():
        until(lambda: number(rig, HELD) == outbox.SHARDS and number(rig, HOLDERS) == 1)


def test_a_relay_killed_before_it_marks_sends_twice_and_the_effect_is_one(rig: Rig, file: Path) -> None:
    failpoints.write(file, {"relay.published": {"do": "kill", "times": 1}})
    with rig.connect() as connection:
        ids = [emit(connection, subject, 1) for subject in range(20)]
    with process(rig, str(file)) as killed:
        until(lambda: killed.poll() is not None)
        assert killed.returncode == -signal.SIGKILL
    assert pending(rig) == 20
    with process(rig, str(file)):
        until(lambda: pending(rig) == 0)
    channel = connect(rig.amqp)
    with closing(channel):
        assert topology.depth(channel.channel(), QUEUE.name)[0] == 40
    with effects(rig) as rows:
        until(lambda: len(rows()) >= 20)
        until(lambda: ready(rig) == 0)
    assert sorted(rows()) == sorted(ids)


@contextmanager
def effects(rig: Rig) -> Iterator[Callable[[], list[str]]]:
    work = PsycopgWork(rig.database)

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        work.connection.execute("INSERT INTO effect (event_id) VALUES (%s)", (event.id,))

    def rows() -> list[str]:
        with rig.connect() as connection:
            return [str(row[0]) for row in connection.execute("SELECT event_id FROM effect").fetchall()]

    with consuming(Consumer(rig.amqp, QUEUE, InboxProcessor("t", work, {StudentRemoved: handle}), Health("t", "c"))):
        yield rows
    work.connection.close()


def ready(rig: Rig) -> int:
    connection = connect(rig.amqp)
    with closing(connection):
        return topology.depth(connection.channel(), QUEUE.name)[0]


@pytest.mark.parametrize("copies", [2, 5])
def test_events_delivered_several_times_take_effect_once(rig: Rig, armed: Path, copies: int) -> None:
    failpoints.write(armed, {"relay.duplicate": {"do": "value", "value": copies}})
    with rig.connect() as connection:
        ids = [emit(connection, subject, 1) for subject in range(50)]
    with effects(rig) as rows, rig.relay():
        until(lambda: len(rows()) >= 50 and pending(rig) == 0 and ready(rig) == 0)
    assert sorted(rows()) == sorted(ids)


def test_a_shuffle_is_one(rig: Rig, seen: Seen, armed: Path) -> None:
    failpoints.write(armed, {"relay.shuffle": {"do": "value", "value": 50}})
    with rig.connect() as connection:
        ids = [emit(connection, 1, version) for version in range(100)]
    with rig.relay():
        until(lambda: not seen.lost(set(ids)))
    assert [event.id for event in seen.events] != ids
    assert {event.id for event in seen.events[:50]} == set(ids[:50])


PARKED = "SELECT count(*) FROM outbox WHERE attempts > 0 AND last_error = 'unroutable'"


def test_an_unroutable_message_is_parked_while_others_go_on_and_leaves_when_it_can(rig: Rig, seen: Seen) -> None:
    with rig.connect() as connection:
        stuck = [emit(connection, 1, version) for version in (1, 2)]
        # To an exchange without anybody: mandatory messages come back from there.
        connection.execute("UPDATE outbox SET exchange = '', routing_key = 'nobody' WHERE version = 1")
        others = {emit(connection, subject, 3) for subject in range(2, 30)}
    with rig.relay():
        until(lambda: not seen.lost(others))
        until(lambda: number(rig, PARKED) == 1)
        with rig.connect() as connection:
            younger = emit(connection, 1, 3)
        time.sleep(relay.POLL_SECONDS[1] * 2)
        # Version 2 was in the batch of the first try; what came later waits behind the parked one.
        assert younger in seen.lost({younger})
        with rig.connect() as connection:
            connection.execute("UPDATE outbox SET exchange = %s, routing_key = type", (outbox.EVENTS_EXCHANGE,))
        until(lambda: not seen.lost({*stuck, younger}))


def test_urgent_messages_overtake_a_backlog(rig: Rig, seen: Seen) -> None:
    with rig.connect() as connection:
        backlog = {emit(connection, subject, 1) for subject in range(1000)}
        connection.execute("UPDATE outbox SET lane = 2")
        urgent = {emit(connection, subject, 1) for subject in range(2000, 2010)}
    with rig.relay():
        until(lambda: not seen.lost(backlog | urgent))
    assert {event.id for event in seen.events[:10]} == urgent


LATE = 3


def late_commits(rig: Rig, seen: Seen) -> set[str]:
    """Two writers whose commits come in the other order than their ids, again and again, beside a running relay."""
    committed: set[str] = set()
    for round_ in range(LATE):
        with rig.connect() as early, rig.connect() as late:
            committed.add(emit(early, round_, 1))
            younger = emit(late, 100 + round_, 1)
            late.commit()
            until(lambda younger=younger: not seen.lost({younger}))  # type: ignore[misc]
            committed.add(younger)
            early.commit()
        time.sleep(relay.POLL_SECONDS[1])
    return committed


def test_what_commits_late_is_not_passed_over(rig: Rig, seen: Seen) -> None:
    with rig.relay():
        committed = late_commits(rig, seen)
        until(lambda: not seen.lost(committed))


def test_the_loss_checker_finds_what_a_cursor_would_lose(rig: Rig, seen: Seen, monkeypatch: pytest.MonkeyPatch) -> None:
    """The guard of the test above: a relay that reads on from the last id it saw must fail it."""
    assert "o.published_at IS NULL" in relay._PICK
    later = "AND o.id > (SELECT coalesce(max(id), 0) FROM outbox WHERE published_at IS NOT NULL)"
    cursor = relay._PICK.replace("WHERE o.published_at IS NULL", f"WHERE o.published_at IS NULL {later}")
    monkeypatch.setattr(relay, "_PICK", cursor)
    with rig.relay():
        committed = late_commits(rig, seen)
        assert len(seen.lost(committed)) == LATE


def test_an_old_transaction_is_told_and_measured(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox_lag, "HELD_SECONDS", 0.2)
    warned: list[dict[str, Any]] = []
    monkeypatch.setattr(outbox_lag.log, "warning", lambda name, **values: warned.append({"name": name, **values}))
    lag = outbox_lag.Lag("test")
    with psycopg.connect(rig.database, autocommit=True) as watching, rig.connect() as old:
        emit(old, 1, 1)
        with rig.connect() as younger:  # what is held back by the old one
            emit(younger, 2, 1)

        def held() -> float:
            lag.measure(watching)
            return float(outbox_lag.HORIZON.labels("test")._value.get())

        until(lambda: held() > outbox_lag.HELD_SECONDS)
        assert [(line["name"], "pid" in line) for line in warned] == [("outbox.horizon_held", True)]
        old.commit()


def test_the_gauges_follow_the_outbox_while_the_broker_is_away(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "MEASURE_SECONDS", 0.1)
    lonely = Relay("lonely", rig.database, "amqp://nobody:x@127.0.0.1:1/none", Health("test", "relay"))
    thread = threading.Thread(target=lonely.run)
    thread.start()
    try:
        with rig.connect() as connection:
            emit(connection, 1, 1)
        until(lambda: outbox_lag.PENDING.labels("lonely")._value.get() == 1)
        until(lambda: outbox_lag.OLDEST.labels("lonely")._value.get() > 0.5)
    finally:
        lonely.stop()
        thread.join(10)


@pytest.mark.alone
def test_a_long_transaction_on_an_old_day_holds_no_writer_up(rig: Rig) -> None:
    """Dropping a partition must give way: it would otherwise queue before every insert."""
    old = "FOR VALUES FROM ('2020-01-01') TO ('2020-01-02')"
    with rig.connect() as connection:
        connection.execute(f"CREATE TABLE outbox_20200101 PARTITION OF outbox {old}")
    with psycopg.connect(rig.database, autocommit=True) as keeper, rig.connect() as reader:
        reader.execute("SELECT count(*) FROM outbox")
        dropping = threading.Thread(target=maintain, args=(keeper,))
        dropping.start()
        began = time.monotonic()
        with rig.connect() as writer:
            emit(writer, 1, 1)
        assert time.monotonic() - began < 5
        dropping.join(30)
        reader.commit()
        maintain(keeper)
    assert number(rig, "SELECT count(*) FROM pg_class WHERE relname = 'outbox_20200101'") == 0
