"""What a consumer gets from the broker, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog
from pydantic import ValidationError

from ochaq_shared.events.base import CloudEvent, UnknownEvent
from ochaq_shared.unavailable import Unavailable

log = structlog.get_logger(__name__)

ATTEMPTS_HEADER = "ochaq-attempts"
REPLAY_HEADER = "ochaq-replayed"
DELIVERIES_HEADER = "x-delivery-count"


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
        return number(self.headers, ATTEMPTS_HEADER) + 1

    @property
    def replayed(self) -> bool:
        """True on the first try after somebody sent the dead letter back: it gets all its tries anew."""
        return REPLAY_HEADER in self.headers and ATTEMPTS_HEADER not in self.headers


@dataclass(frozen=True)
class Outcome:
    """Either handled, or to be tried again, or dead."""

    acked: bool
    error: str = ""
    attempts: int = 0
    dead: bool = False
    innocent: bool = False

    @property
    def word(self) -> str:
        """How metrics call it."""
        return "handled" if self.acked else "dead" if self.dead else "retried"

    @classmethod
    def handled(cls) -> Outcome:
        return cls(acked=True)

    @classmethod
    def failed(cls, error: str, attempts: int, limit: int) -> Outcome:
        return cls(acked=False, error=error, attempts=attempts, dead=attempts >= limit)

    @classmethod
    def hopeless(cls, error: str, attempts: int) -> Outcome:
        """No number of tries would help."""
        return cls(acked=False, error=error, attempts=attempts, dead=True)

    @classmethod
    def postponed(cls, error: str, attempts: int) -> Outcome:
        """To be tried again as if this try, the `attempts`-th, had not been."""
        return cls(acked=False, error=error, attempts=attempts - 1, innocent=True)


def number(headers: Mapping[str, Any], name: str) -> int:
    """A count in a header. Anybody may publish anything: what is no number counts as none."""
    value = headers.get(name, 0)
    return value if isinstance(value, int) and value >= 0 else 0


def own_headers(headers: Mapping[str, Any]) -> dict[str, Any]:
    """The headers without the broker's own (`x-death`, `x-delivery-count`), which tell of an earlier journey."""
    return {name: value for name, value in headers.items() if not name.startswith("x-")}


def explain(error: BaseException) -> str:
    """An error in one line, for headers and tables; of a schema that does not fit, what does not."""
    cause, text = error.__cause__, f"{type(error).__name__}: {error}"
    if isinstance(cause, ValidationError):
        wrong = (f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in cause.errors(include_url=False)[:5])
        text = f"{str(error).partition(':')[0]}: {'; '.join(wrong)}"
    return " ".join(text.split())[:2000]


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
        except Exception as error:
            if len(deliveries) > 1:
                return [self._one(delivery) for delivery in deliveries]
            return [self._failed(deliveries[0], error)]
        return [Outcome.handled() for _ in deliveries]

    def _one(self, delivery: Delivery) -> Outcome:
        return self.process([delivery])[0]

    def _failed(self, delivery: Delivery, error: Exception) -> Outcome:
        log.warning("event.failed", event_id=delivery.event.id, attempts=delivery.attempts, exc_info=error)
        if isinstance(error, UnknownEvent):
            return Outcome.hopeless(explain(error), delivery.attempts)
        if isinstance(error, Unavailable):
            return Outcome.postponed(explain(error), delivery.attempts)
        return Outcome.failed(explain(error), delivery.attempts, self._max_attempts)
