"""Where a message goes that its consumer could not handle."""

from __future__ import annotations

from ochaq_shared.bus import parking, topology
from ochaq_shared.bus.delivery import Delivery, Outcome
from ochaq_shared.bus.inbox import MAX_ATTEMPTS
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.students import StudentRemoved


def test_each_failure_waits_on_the_next_rung_and_the_last_one_is_a_dead_letter() -> None:
    event = CloudEvent.of(StudentRemoved(id=1), subject="student:1", version=1)
    delivery = Delivery(1, event, event.encode(), {}, event.type)
    tries = range(1, MAX_ATTEMPTS + 1)
    parked = [parking.parked(topology.SEARCH_STUDENTS, delivery, Outcome.failed("no", n, MAX_ATTEMPTS)) for n in tries]
    assert [topology.RETRY_SECONDS.get(message.exchange) for message in parked] == [1, 1, 10, 10, None]
    assert parked[-1].exchange == topology.DEAD_EXCHANGE
