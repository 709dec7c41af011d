"""Messages that nobody can handle: each ends as one dead letter, and its neighbours hardly notice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import deadly_consumer
import pytest
from ochaq_shared import failpoints
from ochaq_shared.bus import dead_letters, parking, topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.consumer import LARGEST_BYTES, Consumer
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from ochaq_shared.outbox import EVENTS_EXCHANGE
from ochaq_shared.receipts import Receipts
from ochaq_shared.unavailable import Unavailable
from outbox_rig import PsycopgWork, Rig, consuming

QUEUE = topology.SEARCH_STUDENTS
Handle = Callable[[CloudEvent, StudentRemoved], None]


def until(condition: Callable[[], bool], seconds: float = 30) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def removed(*ids: int) -> list[CloudEvent]:
    return [CloudEvent.of(StudentRemoved(id=n), subject=f"student:{n}", version=1) for n in ids]


def publish(rig: Rig, *messages: Message) -> None:
    publisher = Publisher(rig.amqp)
    with closing(publisher):
        assert not any(publisher.publish(messages))


def send(rig: Rig, events: Sequence[CloudEvent]) -> None:
    publish(rig, *[Message(e.id, EVENTS_EXCHANGE, e.type, e.encode(), {}, e.type) for e in events])


def effects(rig: Rig) -> list[str]:
    with rig.connect() as connection:
        rows = connection.execute("SELECT subject FROM effect ORDER BY position").fetchall()
    return [row[0].removeprefix("student:") for row in rows]


def letters(rig: Rig) -> list[dead_letters.DeadLetter]:
    return dead_letters.peek(rig.amqp)


def depths(rig: Rig) -> dict[str, int]:
    """What waits where, without the other consumers' queues, which get a copy of every event too."""
    ours = {QUEUE.name, QUEUE.alone, *topology.RETRY_SECONDS, topology.DEAD_QUEUE, topology.UNROUTED_QUEUE}
    with closing(connect(rig.amqp)) as connection:
        return {name: found[0] for name, found in topology.depths(connection).items() if found and name in ours}


@contextmanager
def handling(rig: Rig, handle: Handle | None = None) -> Iterator[PsycopgWork]:
    """A consumer of this process; without a handler of its own it notes every event as an effect."""
    work = PsycopgWork(rig.database)

    def note(event: CloudEvent, what: StudentRemoved) -> None:
        if handle is not None:
            handle(event, what)
        work.connection.execute(
            "INSERT INTO effect (event_id, subject, version) VALUES (%s, %s, %s)",
            (event.id, event.subject, event.version),
        )

    consumer = Consumer(rig.amqp, QUEUE, InboxProcessor("t", work, {StudentRemoved: note}), Health("t", "consume"))
    with consuming(consumer):
        yield work
    work.connection.close()


class Supervised:
    """The deadly consumer as a process that is started again whenever it dies, as a supervisor would."""

    def __init__(self, rig: Rig, *more: str) -> None:
        support = str(Path(deadly_consumer.__file__).parent)
        self.words = [sys.executable, deadly_consumer.__file__, rig.amqp, rig.database, *more]
        self.environment = {**os.environ, "PYTHONPATH": support}
        self.deaths = 0
        self.process = self._start()

    def _start(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(self.words, env=self.environment, stdout=subprocess.DEVNULL)

    def tend(self) -> None:
        if self.process.poll() is not None:
            self.deaths += self.process.returncode == -signal.SIGKILL
            self.process = self._start()

    def end(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def supervised(rig: Rig) -> Iterator[Supervised]:
    process = Supervised(rig)
    yield process
    process.end()


def test_a_message_that_kills_its_consumer_dies_alone(rig: Rig, supervised: Supervised) -> None:
    innocents = [n for n in range(1, 120) if n not in (13, 60)]
    began = time.monotonic()
    send(rig, removed(*innocents[:50], 666, *innocents[50:]))

    def over() -> bool:
        supervised.tend()
        return len(letters(rig)) == 1

    until(over, 60)
    assert time.monotonic() - began < 90
    (letter,) = letters(rig)
    assert json.loads(letter.body)["data"] == {"id": 666}
    assert (letter.queue, letter.error) == (QUEUE.name, "its consumer died 5 times with this message in hand")
    assert supervised.deaths == 5
    until(lambda: len(effects(rig)) == len(innocents))
    assert sorted(effects(rig), key=int) == [str(n) for n in innocents]
    send(rig, removed(1000))
    until(lambda: "1000" in effects(rig), 2)
    until(lambda: sum(depths(rig).values()) == 1)


def test_a_consumer_killed_between_commit_and_ack_handles_nothing_twice(rig: Rig, tmp_path: Path) -> None:
    points = tmp_path / "failpoints.json"
    failpoints.write(points, {"consumer.processed": {"do": "kill", "times": 3}})
    process = Supervised(rig, str(points))
    send(rig, removed(*range(1, 11)))

    def over() -> bool:
        process.tend()
        return depths(rig)[QUEUE.name] == depths(rig)[QUEUE.alone] == 0 and process.deaths == 3

    try:
        until(over, 60)
        send(rig, removed(11))
        until(lambda: "11" in effects(rig))
    finally:
        process.end()
    assert sorted(effects(rig), key=int) == [str(n) for n in range(1, 12)]
    assert letters(rig) == []


def test_receipts_are_given_for_what_is_over_and_for_nothing_that_waits(
    rig: Rig, servers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ochaq_shared.bus.parking.LADDER", ("retry.10m",))
    url = servers.redis_url(db=11)
    good, waits, wrong = removed(1, 2, 3)
    wrong = wrong.model_copy(update={"data": {"id": "none"}})
    work = PsycopgWork(rig.database)

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if what.id == 2:
            raise ValueError("later")

    inbox = InboxProcessor("t", work, {StudentRemoved: handle})
    consumer = Consumer(rig.amqp, QUEUE, inbox, Health("t", "consume"), receipts=Receipts(url))
    with consuming(consumer):
        send(rig, [good, waits, wrong])
        until(lambda: depths(rig)["retry.10m"] == 1 and len(letters(rig)) == 1)
    work.connection.close()
    reader = Receipts(url)
    assert reader.missing(QUEUE.name, [good.id, waits.id, wrong.id]) == [waits.id]
    reader.close()


@pytest.mark.parametrize(
    ("ladder", "seconds"),
    [
        pytest.param(("retry.1s",), 4, id="the shortest rung, four times"),
        pytest.param(parking.LADDER, 22, id="the ladder", marks=pytest.mark.long),
    ],
)
@pytest.mark.alone
def test_poison_is_dead_after_five_tries_while_its_neighbours_wait_for_nothing(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, ladder: tuple[str, ...], seconds: float
) -> None:
    monkeypatch.setattr("ochaq_shared.bus.parking.LADDER", ladder)
    waited: list[float] = []
    tries: list[float] = []

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if what.id >= 10_000:
            tries.append(time.monotonic())
            raise ValueError("poison")
        waited.append(time.monotonic() - sent[str(what.id)])

    sent: dict[str, float] = {}
    began = time.monotonic()
    with handling(rig, handle):
        send(rig, removed(10_000))
        number = 0
        while not letters(rig):
            assert time.monotonic() - began < 90
            number += 1
            sent[str(number)] = time.monotonic()
            send(rig, removed(number))
            time.sleep(0.25)
        until(lambda: len(waited) == number)
    assert len(tries) == 5
    assert tries[-1] - tries[0] == pytest.approx(seconds, abs=seconds / 5 + 1), "the sum of four rungs"
    assert max(waited) < 1
    (letter,) = letters(rig)
    assert (letter.attempts, letter.error) == (5, "ValueError: poison")


UNREADABLE: dict[str, bytes] = {
    "no json": b"not json",
    "binary": bytes(range(256)) * 4,
    "json, but no event": b"[1, 2, 3]",
    "an unknown type": removed(1)[0].model_copy(update={"type": "ochaq.students.student.eaten.v1"}).encode(),
    "a wrong schema": removed(1)[0].model_copy(update={"data": {"id": "many"}}).encode(),
    "an undeclared field": removed(1)[0].model_copy(update={"data": {"id": 1, "more": 1}}).encode(),
    "an id that is none": removed(1)[0].model_copy(update={"id": "../../etc"}).encode(),
    "a NUL": removed(1)[0].model_copy(update={"source": "a\0b"}).encode(),
    "ten megabytes": b'{"specversion": "1.0", "data": "' + b"x" * 10_000_000 + b'"}',
    "nothing": b"",
}


def test_what_cannot_be_read_is_a_dead_letter_at_once_and_holds_nobody_up(rig: Rig) -> None:
    odd = {ATTEMPTS_HEADER: "many", "x-delivery-count": "none"}
    bad = [Message(f"bad-{n}", EVENTS_EXCHANGE, "ochaq.students.x", body) for n, body in enumerate(UNREADABLE.values())]
    headed = removed(7)[0]
    with handling(rig):
        began = time.monotonic()
        publish(rig, *bad[:5], Message("headed", EVENTS_EXCHANGE, headed.type, headed.encode(), odd), *bad[5:])
        send(rig, removed(1, 2, 3))
        until(lambda: sorted(effects(rig)) == ["1", "2", "3", "7"], 5)
        until(lambda: len(letters(rig)) == len(UNREADABLE), 5)
    assert time.monotonic() - began < 10
    found = letters(rig)
    assert all(letter.queue == QUEUE.name and letter.error and letter.died_at for letter in found)
    big = max(found, key=lambda letter: letter.size)
    assert big.size > LARGEST_BYTES and len(big.body) == dead_letters.SHOWN_BYTES
    assert sum(depths(rig).values()) == len(UNREADABLE), "nothing waits on the ladder"


def test_letters_that_die_again_at_once_are_sent_back_once_each(rig: Rig) -> None:
    with handling(rig):
        publish(rig, *[Message(f"bad-{n}", EVENTS_EXCHANGE, "ochaq.students.x", b"no json") for n in range(20)])
        until(lambda: len(letters(rig)) == 20)
        for _ in range(3):
            sent = dead_letters.replay(rig.amqp)
            assert sorted(letter.id for letter in sent) == sorted(f"bad-{n}" for n in range(20))
            until(lambda: len(letters(rig)) == 20)


def test_an_event_whose_server_is_away_waits_without_losing_tries(rig: Rig, quick_ladder: None) -> None:
    away = [True]
    tries: list[int] = []

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        tries.append(what.id)
        if away[0]:
            raise Unavailable("no Redis")

    with handling(rig, handle):
        send(rig, removed(1))
        until(lambda: len(tries) > 6)
        assert effects(rig) == [] and letters(rig) == []
        away[0] = False
        until(lambda: effects(rig) == ["1"])


def test_while_the_database_is_away_everything_stays_in_hand_and_nobody_is_blamed(rig: Rig) -> None:
    work = PsycopgWork(rig.database)
    backends: list[int] = []

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        work.connection.execute(
            "INSERT INTO effect (event_id, subject, version) VALUES (%s, %s, 1)", (event.id, event.subject)
        )

    class Reconnecting(InboxProcessor):
        """A unit of work that notices a lost connection, as the services' own do."""

        def process(self, deliveries: Sequence[Any]) -> Any:
            if work.connection.closed:
                work.connection.close()
                work.connection = PsycopgWork(rig.database).connection
            backends.append(work.connection.info.backend_pid)
            return super().process(deliveries)

    consumer = Consumer(rig.amqp, QUEUE, Reconnecting("t", work, {StudentRemoved: handle}), Health("t", "c"))
    with rig.connect() as locking:
        locking.execute("LOCK TABLE inbox")
        with consuming(consumer):
            send(rig, removed(*range(20)))
            for killed in range(4):
                until(lambda killed=killed: len(backends) > killed)  # type: ignore[misc]
                until(lambda: terminate(rig, backends[-1]))
            locking.rollback()
            until(lambda: len(effects(rig)) == 20)
    work.connection.close()
    with rig.connect() as connection:
        row = connection.execute("SELECT max(attempts), count(*) FROM inbox").fetchone()
    assert row == (1, 20)
    assert letters(rig) == []


def terminate(rig: Rig, backend: int) -> bool:
    with rig.connect() as connection:
        found = connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid = %s AND wait_event_type = 'Lock'",
            (backend,),
        ).fetchall()
    return len(found) == 1


def test_a_transaction_that_cannot_commit_blames_only_the_event_that_broke_it(rig: Rig, quick_ladder: None) -> None:
    with rig.connect() as connection:
        connection.execute("CREATE TABLE known (subject text PRIMARY KEY)")
        connection.execute("INSERT INTO known SELECT 'student:' || n FROM generate_series(1, 5) AS n")
        connection.execute(
            "ALTER TABLE effect ADD FOREIGN KEY (subject) REFERENCES known DEFERRABLE INITIALLY DEFERRED"
        )
    with handling(rig):
        send(rig, removed(1, 2, 99, 3))
        until(lambda: sorted(effects(rig)) == ["1", "2", "3"], 5)
        until(lambda: len(letters(rig)) == 1)
    (letter,) = letters(rig)
    assert "ForeignKeyViolation" in letter.error and letter.attempts == 5


def test_a_replayed_letter_has_all_its_tries_again_and_takes_effect_once(rig: Rig, quick_ladder: None) -> None:
    broken = [100]
    tries: list[int] = []

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if what.id == 66:
            tries.append(1)
            if len(tries) <= broken[0]:
                raise ValueError("not mended yet")

    with handling(rig, handle):
        send(rig, removed(66))
        until(lambda: len(letters(rig)) == 1)
        assert len(tries) == 5
        # Mended only in the third try after the replay: with one try it would be dead again.
        broken[0] = 7
        dead_letters.replay(rig.amqp)
        until(lambda: effects(rig) == ["66"])
        assert letters(rig) == []
    assert len(tries) == 8


def test_a_letter_sent_back_twice_takes_effect_once(
    rig: Rig, quick_ladder: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [True]

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if broken[0]:
            raise ValueError("poison")

    with handling(rig, handle):
        send(rig, removed(5))
        until(lambda: len(letters(rig)) == 1)
    broken[0] = False
    real = Publisher.publish

    def twice(publisher: Publisher, messages: Sequence[Message]) -> list[str | None]:
        # As when the one who replays is killed between the copy's confirm and the letter's ack, and does it again.
        return real(publisher, [*messages, *messages])[: len(messages)]

    monkeypatch.setattr(Publisher, "publish", twice)
    assert len(dead_letters.replay(rig.amqp)) == 1
    monkeypatch.undo()
    assert depths(rig)[QUEUE.name] == 2
    with handling(rig, handle):
        until(lambda: depths(rig)[QUEUE.name] == 0 and effects(rig) != [])
        send(rig, removed(6))
        until(lambda: "6" in effects(rig))
    assert effects(rig) == ["5", "6"]
