"""Events of a subject out of order and many times over: an order-dependent handler ends as if they were not."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER, Delivery, Outcome
from ochaq_shared.bus.inbox import MAX_ATTEMPTS, InboxProcessor
from ochaq_shared.bus.versions import Ordered
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved
from outbox_rig import PsycopgWork, Rig


@pytest.fixture(scope="module")
def work(module_rig: Rig) -> Iterator[PsycopgWork]:
    found = PsycopgWork(module_rig.database)
    yield found
    found.connection.close()


def history(subject: str, versions: int) -> list[Delivery]:
    events = [CloudEvent.of(StudentRemoved(id=n), subject=subject, version=n) for n in range(1, versions + 1)]
    return [Delivery(0, event, event.encode(), {}, event.type) for event in events]


def processor(work: PsycopgWork, *, whole: bool) -> InboxProcessor:
    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        work.connection.execute(
            "INSERT INTO effect (event_id, subject, version) VALUES (%s, %s, %s)",
            (event.id, event.subject, event.version),
        )

    return InboxProcessor("t", work, {StudentRemoved: Ordered(handle, whole=whole)})


def deliver(processor: InboxProcessor, deliveries: Sequence[Delivery], batch: int) -> list[tuple[Delivery, Outcome]]:
    """Hand all of them over in batches, and again what has to wait, as the retry ladder does; answers the dead."""
    waiting, dead = list(deliveries), []
    while waiting:
        now, waiting = waiting[:batch], waiting[batch:]
        for delivery, outcome in zip(now, processor.process(now), strict=True):
            if outcome.dead:
                dead.append((delivery, outcome))
            elif not outcome.acked:
                headers = {ATTEMPTS_HEADER: outcome.attempts}
                waiting.append(Delivery(0, delivery.event, delivery.body, headers, delivery.routing_key))
    return dead


def taken(work: PsycopgWork, subject: str) -> list[int]:
    rows = work.connection.execute("SELECT version FROM effect WHERE subject = %s ORDER BY position", (subject,))
    return [row[0] for row in rows.fetchall()]


def shuffled(deliveries: list[Delivery], window: int, seed: int) -> list[Delivery]:
    """As the failpoint `relay.shuffle` does it: out of order within windows."""
    mixed, found = random.Random(seed), []
    for start in range(0, len(deliveries), window):
        part = deliveries[start : start + window]
        found += mixed.sample(part, len(part))
    return found


TOLD = {
    "lengths": st.lists(st.integers(1, 12), min_size=1, max_size=4),
    "copies": st.integers(1, 5),
    "window": st.integers(1, 50),
    "batch": st.integers(1, 50),
    "seed": st.integers(0, 2**32),
}


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**TOLD)
def test_any_order_and_any_number_of_copies_end_at_the_newest_version_and_never_go_back(
    work: PsycopgWork, **told: Any
) -> None:
    check_order(work, **told)


@pytest.mark.long
@pytest.mark.timeout(600)
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(**TOLD)
def test_the_same_of_many_more_orders(work: PsycopgWork, **told: Any) -> None:
    check_order(work, **told)


def check_order(work: PsycopgWork, *, lengths: list[int], copies: int, window: int, batch: int, seed: int) -> None:
    subjects = {f"{seed}:{n}": length for n, length in enumerate(lengths)}
    work.connection.execute("TRUNCATE effect, inbox, projection_version")
    deliveries = [one for subject, length in subjects.items() for one in history(subject, length)]
    told = shuffled([one for one in deliveries for _ in range(copies)], window, seed)
    assert deliver(processor(work, whole=True), told, batch) == []
    for subject, length in subjects.items():
        versions = taken(work, subject)
        assert versions == sorted(set(versions))
        assert versions[-1] == length


def test_an_early_event_waits_for_its_predecessor(work: PsycopgWork) -> None:
    first, second, third = history("waits", 3)
    waiting = processor(work, whole=False)
    assert [outcome.acked for outcome in waiting.process([third, first])] == [False, True]
    assert "is at version 0, this is 3" in waiting.process([third])[0].error or taken(work, "waits") == [1]
    assert deliver(waiting, [second, third], 1) == []
    assert taken(work, "waits") == [1, 2, 3]


def test_an_event_that_needs_its_lost_predecessor_is_a_dead_letter_and_changes_nothing(work: PsycopgWork) -> None:
    first, _lost, third = history("needs", 3)
    ((dead, outcome),) = deliver(processor(work, whole=False), [first, third], 10)
    assert dead.event.version == 3 and outcome.attempts == MAX_ATTEMPTS
    assert taken(work, "needs") == [1]


def test_an_event_that_tells_all_is_handled_after_its_tries_and_the_late_one_dropped(work: PsycopgWork) -> None:
    first, late, third = history("tells all", 3)
    everything = processor(work, whole=True)
    assert deliver(everything, [first, third], 10) == []
    assert taken(work, "tells all") == [1, 3]
    assert deliver(everything, [late], 10) == []
    assert taken(work, "tells all") == [1, 3]


def test_a_handler_that_fails_leaves_the_version_where_it_was(work: PsycopgWork) -> None:
    broken = [True]

    def handle(event: CloudEvent, what: StudentRemoved) -> None:
        if broken[0]:
            raise ValueError("not yet")
        work.connection.execute("INSERT INTO effect (subject, version) VALUES (%s, %s)", (event.subject, event.version))

    failing = InboxProcessor("t", work, {StudentRemoved: Ordered(handle, whole=False)})
    first, second = history("fails", 2)
    assert [outcome.acked for outcome in failing.process([first, second])] == [False, False]
    broken[0] = False
    assert deliver(failing, [first, second], 1) == []
    assert taken(work, "fails") == [1, 2]
