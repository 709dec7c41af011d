"""What a worker does between SIGTERM and its end: running jobs may finish, within a bound; the rest is handed back.

Celery's warm shutdown takes no new job and waits for the running ones, for ever. A thread sees to the bound: when it is
over, pool processes that still work are killed and their leases handed back, so that the next worker goes on from the
checkpoint at once. Killed first: what still runs could extend its lease again.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import threading
import time
from typing import Any

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.leases import Watch, read_slip
from ochaq_worker.requests import running
from ochaq_worker.runs import worker_name
from ochaq_worker.web import Web

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.05
LAST_SECONDS = 2.0
DEATH_SECONDS = 1.0


class Departure:
    """Connect `begin` to Celery's `worker_shutting_down`."""

    def __init__(self, web: Web, watch: Watch | None, patience: float) -> None:
        self._web = web
        self._watch = watch
        self._patience = patience
        self._begun = False

    def begin(self, **_: Any) -> None:
        """Runs in a signal handler: only starts the thread, and only once."""
        if not self._begun:
            self._begun = True
            threading.Thread(target=self._see_off, daemon=True, name="departure").start()

    def _see_off(self) -> None:
        log.info("worker_leaving", jobs=len(running()), patience_seconds=self._patience)
        until = time.monotonic() + self._patience
        while running() and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        if self._watch:
            self._watch.stop()
        for request in running():
            if request.worker_pid:
                self._take_back(str(request.id), int(request.worker_pid))
        time.sleep(LAST_SECONDS)
        # Nothing runs any more, so nothing is lost: a broker or a pool that does not say goodbye is not waited for.
        log.warning("worker_left_by_force")
        os._exit(0)

    def _take_back(self, task_id: str, pid: int) -> None:
        # Withdrawn first, else the worker beside this one would call its jobs lost.
        slip = self._watch.withdraw(worker_name(pid)) if self._watch else None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        # Without a slip the task's id has to do: that of its job, if it has only one.
        for job_id in [task_id] if slip is None else _left_on(slip):
            self._release(job_id, pid)

    def _release(self, job_id: str, pid: int) -> None:
        try:
            self._web.release(job_id, worker_name(pid), lost=False)
            log.info("lease_released", job=job_id)
        except (UpstreamProblem, Unavailable) as error:
            log.info("lease_not_released", job=job_id, reason=f"{type(error).__name__}: {error}")


def _left_on(slip: int) -> list[str]:
    """What stands on the slip of a process that was killed, as soon as it is dead: the kernel frees its lock then."""
    until = time.monotonic() + DEATH_SECONDS
    try:
        while time.monotonic() < until:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(slip, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            time.sleep(DEATH_SECONDS / 100)
        return read_slip(slip)
    finally:
        os.close(slip)
