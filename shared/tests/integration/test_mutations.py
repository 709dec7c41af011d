"""Whoever watches the watchers: with the inbox or `mandatory` patched out, the checker must find what goes wrong."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import pytest
from ochaq_shared import outbox
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import connect
from ochaq_shared.bus.consumer import BATCH, Consumer
from ochaq_shared.bus.delivery import Delivery
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.bus.publisher import Publisher
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from ochaq_shared.health import Health
from outbox_rig import PsycopgWork, Rig, consuming

QUEUE = topology.SEARCH_STUDENTS


@dataclass(frozen=True)
class Verdict:
    """What the house promises of every event: an effect (lost), one only (doubled), of its own (ghosts)."""

    lost: int
    doubled: int
    ghosts: int


FINE = Verdict(0, 0, 0)
_CHECK = """
SELECT (SELECT count(*) FROM outbox o WHERE NOT EXISTS (SELECT FROM effect e WHERE e.event_id = o.event_id)),
       (SELECT count(*) FROM (SELECT event_id FROM effect GROUP BY event_id HAVING count(*) > 1) AS twice),
       (SELECT count(*) FROM effect e WHERE NOT EXISTS (SELECT FROM outbox o WHERE o.event_id = e.event_id))
"""


def check(rig: Rig) -> Verdict:
    with rig.connect() as connection:
        return Verdict(*connection.execute(_CHECK).fetchone() or ())


def until(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def emit(rig: Rig, ids: Sequence[int]) -> None:
    with rig.connect() as connection:
        for number in ids:
            outbox.emit(connection, StudentRemoved(id=number), subject=f"student:{number}", version=1)


def consumer_of(
    rig: Rig, handle: Callable[[StudentRemoved], None] = lambda what: None, batch: int = BATCH
) -> tuple[Consumer, PsycopgWork]:
    work = PsycopgWork(rig.database)

    def note(event: CloudEvent, what: StudentRemoved) -> None:
        handle(what)
        work.connection.execute("INSERT INTO effect (event_id, subject) VALUES (%s, %s)", (event.id, event.subject))

    processor = InboxProcessor("t", work, {StudentRemoved: note})
    return Consumer(rig.amqp, QUEUE, processor, Health("t", "consume"), batch=batch), work


def claim_everything(_self: InboxProcessor, _connection: Any, deliveries: Sequence[Delivery]) -> dict[str, int]:
    """The mutant: whatever comes is new."""
    return {delivery.event.id: 1 for delivery in deliveries}


@pytest.mark.parametrize("mutated", [False, True], ids=["with the inbox", "without the inbox"])
def test_the_checker_sees_doubled_effects_exactly_when_the_inbox_is_patched_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, mutated: bool
) -> None:
    if mutated:
        monkeypatch.setattr(InboxProcessor, "_claim", claim_everything)
    real = Publisher.publish

    def twice(publisher: Publisher, messages: Any) -> list[str | None]:
        # As a relay does that is killed between the broker's confirm and its own mark.
        real(publisher, messages)
        return real(publisher, messages)

    monkeypatch.setattr(Publisher, "publish", twice)
    consumer, work = consumer_of(rig)
    emit(rig, range(50))
    with rig.relay(), consuming(consumer):
        assert until(lambda: check(rig).lost == 0)
        assert until(lambda: empty(rig))
    work.connection.close()
    found = check(rig)
    assert (found == FINE) is not mutated
    assert (found.lost, found.ghosts) == (0, 0)


def empty(rig: Rig) -> bool:
    with closing(connect(rig.amqp)) as connection:
        return topology.depth(connection.channel(), QUEUE.name)[0] == 0


def careless(self: Publisher, messages: Any, *, mandatory: bool = True) -> None:
    """The mutant: what finds no queue is confirmed and forgotten."""
    _real_send(self, messages, mandatory=False)


_real_send = Publisher._send


@pytest.mark.parametrize("mutated", [False, True], ids=["mandatory", "not mandatory"])
def test_the_checker_sees_lost_events_exactly_when_mandatory_is_patched_out(
    rig: Rig, monkeypatch: pytest.MonkeyPatch, mutated: bool
) -> None:
    if mutated:
        monkeypatch.setattr(Publisher, "_send", careless)
    tries: list[int] = []

    def handle(what: StudentRemoved) -> None:
        tries.append(what.id)
        if what.id == 5 and tries.count(5) == 1:
            # Somebody removes the waiting queue just before the event is parked there.
            with closing(connect(rig.amqp)) as connection:
                connection.channel().queue_delete("retry.1s")
            raise ValueError("the first try fails")

    # One at a time: in a batch, what fails is handled once more by itself, before it is parked.
    consumer, work = consumer_of(rig, handle, batch=1)
    # The publisher that parks has been at work before: a fresh one would declare the queue anew.
    consumer._publisher.open()
    emit(rig, range(20))
    with rig.relay(), consuming(consumer):
        complete = until(lambda: check(rig).lost == 0, 5 if mutated else 20)
    work.connection.close()
    found = check(rig)
    assert complete is not mutated
    assert (found == FINE) is not mutated
    assert (found.doubled, found.ghosts) == (0, 0)
