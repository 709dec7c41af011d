"""Facts of the search service on their way to the bus.

The service has no database and so no outbox: a rebuilt index is announced from memory, again and again until RabbitMQ
confirms it. A process that dies in between keeps the fact to itself; the job's result, which web keeps, says the same.
"""

from __future__ import annotations

from collections import deque

import structlog
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.search import IndexRebuilt
from ochaq_shared.outbox import EVENTS_EXCHANGE

log = structlog.get_logger(__name__)


class Announcements:
    """`add` from any thread; `flush` from one."""

    def __init__(self, amqp_url: str) -> None:
        self._publisher = Publisher(amqp_url)
        self._waiting: deque[Message] = deque()

    def add(self, fact: IndexRebuilt) -> None:
        event = CloudEvent.of(fact, subject=f"index:{fact.index}", version=1)
        self._waiting.append(Message(event.id, EVENTS_EXCHANGE, event.type, event.encode(), {}, event.type))

    def flush(self) -> None:
        """Publish what waits; what is not confirmed goes on waiting. Never raises."""
        while self._waiting:
            message = self._waiting[0]
            try:
                # An unroutable fact is kept by the alternate exchange, so the only failure left is a broker's refusal.
                if self._publisher.publish([message]) != [None]:
                    return
            except BrokerUnavailable as error:
                log.warning("announcement.waits", error=str(error))
                return
            self._waiting.popleft()
        self._publisher.close()
