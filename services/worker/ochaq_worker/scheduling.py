"""The clock: once a second it asks web to start what is due. Which schedules there are, and whether a slot has been
fired before, web's database decides, so any number of these may run, or none for a while.
"""

from __future__ import annotations

import threading
import time

import structlog
from ochaq_shared.health import Health
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.web import Web

log = structlog.get_logger(__name__)

LEAST_SECONDS = 0.05
MOST_SECONDS = 1.0  # a schedule that somebody makes due now does not wait for the next one's time
SILENT_SECONDS = 10.0


class Clock:
    """Ticks until `stop` is set."""

    def __init__(self, web: Web, health: Health) -> None:
        self._web, self._health = web, health
        self._answered_at = float("-inf")
        self._quiet = False
        health.check("web", self._require_answers)

    def run(self, stop: threading.Event) -> None:
        while not stop.is_set():
            self._health.beat()
            stop.wait(self.tick())

    def tick(self) -> float:
        """One question; answers how many seconds to wait for the next."""
        try:
            answer = self._web.tick()
        except (Unavailable, UpstreamProblem) as error:
            if not self._quiet:  # once per silence: a line a second says nothing more
                log.warning("clock_unanswered", error=f"{type(error).__name__}: {error}")
            self._quiet = True
            return MOST_SECONDS
        self._answered_at, self._quiet = time.monotonic(), False
        for fired in answer["fired"]:
            log.info("schedule_fired", **fired)
        return min(MOST_SECONDS, max(LEAST_SECONDS, float(answer["next_in_seconds"])))

    def _require_answers(self) -> None:
        if time.monotonic() - self._answered_at > SILENT_SECONDS:
            raise ConnectionError("web has not answered a tick")
