"""Doing things by the clock: one thread per ticker, one process of the site at a time."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence

import structlog
from django.db import InterfaceError, OperationalError, close_old_connections, connection
from prometheus_client import Counter

from ochaq_web.core.events import Ticker
from ochaq_web.core.locks import advisory_lock

log = structlog.get_logger(__name__)

TICKS = Counter("ochaq_ticks_total", "What was done by the clock", ["ticker", "outcome"])


class Ticking:
    """Runs tickers until stopped."""

    def __init__(self, tickers: Sequence[Ticker]) -> None:
        self.stopping = threading.Event()
        self._threads = [
            threading.Thread(target=self._loop, args=(ticker,), name=f"ticker:{ticker.name}", daemon=True)
            for ticker in tickers
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self.stopping.set()

    def join(self, timeout: float = 10) -> None:
        for thread in self._threads:
            thread.join(timeout)

    def _loop(self, ticker: Ticker) -> None:
        # The first tick of several processes that start together is spread out.
        wait = random.uniform(0, min(ticker.seconds, 5))  # noqa: S311 - jitter
        while not self.stopping.wait(wait):
            wait = ticker.seconds
            tick(ticker)
        connection.close()


def tick(ticker: Ticker) -> None:
    """One tick, if no other process is at it. A failure is logged; the next tick tries again."""
    close_old_connections()
    outcome = "busy"
    try:
        with advisory_lock(f"ticker:{ticker.name}") as held:
            if held:
                ticker.run()
                outcome = "done"
    except (OperationalError, InterfaceError) as error:
        outcome = "postponed"
        log.warning("ticker.postponed", ticker=ticker.name, error=type(error).__name__)
        connection.close()
    except Exception as error:  # a ticker must survive everything that one tick can meet
        outcome = "failed"
        log.exception("ticker.failed", ticker=ticker.name, error=type(error).__name__)
        connection.close()
    finally:
        close_old_connections()
    TICKS.labels(ticker.name, outcome).inc()
