"""What this service does when others tell it something, and what it does by the clock.

Apps register here in `AppConfig.ready`; the `consume` process runs all of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ochaq_shared.events import CloudEvent, Fact

FactType = TypeVar("FactType", bound=Fact)
Handler = Callable[[CloudEvent, Any], None]


@dataclass(frozen=True)
class Ticker:
    """Something to do every `seconds`, by one process of the whole site at a time."""

    name: str
    seconds: float
    run: Callable[[], Any]


_handlers: dict[type[Fact], Handler] = {}
_tickers: dict[str, Ticker] = {}


def register_handler(fact: type[FactType], handler: Callable[[CloudEvent, FactType], None]) -> None:
    """Call `handler` inside the inbox transaction for each such event."""
    if _handlers.setdefault(fact, handler) is not handler:
        raise ValueError(f"{fact.__name__} has a handler already")


def register_ticker(name: str, seconds: float, run: Callable[[], Any]) -> None:
    """Call `run` every `seconds` in the consume process, under an advisory lock of that name."""
    if name in _tickers:
        raise ValueError(f"ticker {name} is registered twice")
    _tickers[name] = Ticker(name, seconds, run)


def handlers() -> dict[type[Fact], Handler]:
    return dict(_handlers)


def tickers() -> list[Ticker]:
    return list(_tickers.values())
