"""What a consumer gets from the broker, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from ochaq_shared.events.base import CloudEvent

log = structlog.get_logger(__name__)

ATTEMPTS_HEADER = "ochaq-attempts"


@dataclass(frozen=True)
class Delivery:
    """One delivered event; `attempts` counts this try, from the header a retry carries."""

    tag: int
    event: CloudEvent
    body: bytes
    headers: dict[str, Any]
    routing_key: str

    @property
    def attempts(self) -> int:
        return int(self.headers.get(ATTEMPTS_HEADER, 0)) + 1


@dataclass(frozen=True)
class Outcome:
    """Either handled, or to be tried again, or dead."""

    acked: bool
    error: str = ""
    attempts: int = 0
    dead: bool = False

    @classmethod
    def handled(cls) -> Outcome:
        return cls(acked=True)

    @classmethod
    def failed(cls, error: str, attempts: int, limit: int) -> Outcome:
        return cls(acked=False, error=error, attempts=attempts, dead=attempts >= limit)


class BatchProcessor:
    """For consumers that are idempotent by themselves (by version, by event id in Redis): no database, no inbox.

    `handle_batch` gets the events in order. When it raises, the events are tried one by one, so that a poison message
    parks itself and not its neighbours.
    """

    def __init__(self, handle_batch: Callable[[Sequence[CloudEvent]], None], *, max_attempts: int = 5) -> None:
        self._handle_batch = handle_batch
        self._max_attempts = max_attempts

    def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        """One outcome per delivery, in order."""
        try:
            self._handle_batch([delivery.event for delivery in deliveries])
        except Exception:
            if len(deliveries) > 1:
                return [self._one(delivery) for delivery in deliveries]
            log.exception("event.failed", event_id=deliveries[0].event.id, attempts=deliveries[0].attempts)
            return [Outcome.failed("batch handler raised", deliveries[0].attempts, self._max_attempts)]
        return [Outcome.handled() for _ in deliveries]

    def _one(self, delivery: Delivery) -> Outcome:
        return self.process([delivery])[0]
