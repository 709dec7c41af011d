"""The thread of a pool process that keeps the lease of the run under way, and ends what will not end.

It sleeps while there is no run, and looks at a run only when it has lasted a quarter of a second: a no-op job pays
nothing for it. Three clocks hold for every longer run:

- every three seconds a heartbeat (or sooner, when there is progress to tell or a cancel was announced);
- when the run was told to stop and its rule has not stopped after the grace, the run is ended here and the process
  kills itself: a rule that blocks in a library cannot be stopped in any other way, and Celery replaces the process;
- when this very thread cannot run for longer than a lease, since some C code keeps the interpreter's lock, a timer
  below Python ends the process (`faulthandler`). By then the lease is lost and the job is somebody else's.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.outcomes import TimeLimit, of_exception
from ochaq_worker.web import LeaseLost

if TYPE_CHECKING:
    from ochaq_worker.runs import Run

log = structlog.get_logger(__name__)

TICK_SECONDS = 0.25  # progress is told at most four times a second
LAST_WORD_SECONDS = 1.0
WATCHDOG_EVERY_SECONDS = 1.0


class Keeper:
    """One per pool process. The run's thread calls `watching`, the Redis listener `nudge`."""

    def __init__(self) -> None:
        self._run: Run | None = None
        self._asleep = False
        self._wake = threading.Event()
        self._ending = threading.Lock()
        self._armed_at = 0.0
        self._silence: TextIO | None = None

    def start(self) -> None:
        threading.Thread(target=self._live, daemon=True, name="keeper").start()

    @contextmanager
    def watching(self, run: Run) -> Iterator[None]:
        """Keep this run's lease until the block is left."""
        self._run = run
        if self._asleep:
            self._wake.set()
        try:
            yield
        finally:
            with self._ending:  # never free again when the keeper is just ending this run
                self._run = None

    def nudge(self, job_id: str | None = None) -> None:
        """Somebody cancelled this job (or nobody knows which): ask web now instead of at the next heartbeat."""
        run = self._run
        if run is not None and job_id in (None, run.claim.id):
            run.hurry()
            self._wake.set()

    def _live(self) -> None:
        while True:
            self._asleep = True
            if self._run is None:  # looked at after `_asleep` was set, as `watching` looks at `_asleep` after `_run`
                self._wake.wait()
            self._asleep = False
            self._wake.clear()
            while (run := self._run) is not None:
                self._wake.wait(TICK_SECONDS)
                self._wake.clear()
                if self._run is run and (run.due(time.monotonic()) or time.monotonic() - run.began >= TICK_SECONDS):
                    self._look(run)
            self._disarm()

    def _look(self, run: Run) -> None:
        try:
            run.context.run(self._tend, run)
        except Exception as error:  # a keeper that dies would take every later lease with it
            log.error("keeper_failed", job=run.claim.id, exc_info=error)

    def _tend(self, run: Run) -> None:
        self._arm(run)
        if run.due(time.monotonic()):
            run.beat()
        run.relieve()
        now = time.monotonic()
        if run.past_deadline(now):
            run.tell(TimeLimit())
        if run.told is not None and now - run.told_at > run.claim.cancel_grace_seconds:
            self._end(run, run.told)

    def _end(self, run: Run, reason: Exception) -> None:
        """Say how the run ended, while the lease is ours, and take the whole process away from its rule."""
        with self._ending:
            if self._run is not run:
                return  # it has ended by itself, in the last moment
            log.error("run_forced", reason=type(reason).__name__, grace_seconds=run.claim.cancel_grace_seconds)
            if not isinstance(reason, LeaseLost):
                self._last_word(run, reason)
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _last_word(run: Run, reason: Exception) -> None:
        try:
            run.web.finish(run.claim, of_exception(reason), patience=LAST_WORD_SECONDS)
        except (LeaseLost, Unavailable, UpstreamProblem) as error:
            log.warning("run_forced_untold", error=f"{type(error).__name__}: {error}")

    def _arm(self, run: Run) -> None:
        now = time.monotonic()
        if now - self._armed_at < WATCHDOG_EVERY_SECONDS:
            return
        self._armed_at = now
        if self._silence is None:  # a stack trace of many lines has no place in a log of JSON lines
            self._silence = Path(os.devnull).open("w")  # noqa: SIM115 - lives as long as the process
        limit = run.claim.lease_seconds + run.claim.cancel_grace_seconds
        faulthandler.dump_traceback_later(limit, exit=True, file=self._silence)

    def _disarm(self) -> None:
        if self._armed_at:
            self._armed_at = 0.0
            faulthandler.cancel_dump_traceback_later()
