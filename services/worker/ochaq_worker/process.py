"""What one process owns: its connections, and in a pool process the threads that look after the run under way.

None of it may be shared across a fork.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

from ochaq_worker.cancels import CancelListener
from ochaq_worker.groups import Groups
from ochaq_worker.keeper import Keeper
from ochaq_worker.leases import Slip
from ochaq_worker.limits import confine
from ochaq_worker.runs import worker_name
from ochaq_worker.settings import WorkerSettings
from ochaq_worker.web import Web, open_web

_web: Web | None = None
_keeper: Keeper | None = None
_slip: Slip | None = None
_groups: Groups | None = None


def open_process(settings: WorkerSettings, slips: Path | None) -> None:
    """Called once in every pool process after its fork."""
    global _web, _keeper, _slip, _groups
    # A stop is the main process's business, also where a supervisor signals the whole group: it waits for the jobs.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    confine(settings.worker_memory_mb)
    _web = open_web(settings)
    _slip = Slip(slips, worker_name()) if slips else None
    _keeper = Keeper()
    _keeper.start()
    _groups = Groups(_web, _keeper, _slip)
    CancelListener(settings.redis_url, _keeper.nudge).start()


def close_process(pid: int, exitcode: int, **_: object) -> None:
    """Called in a pool process that ends of itself: leave now. Celery would have it wait a second for a signal."""
    if pid == os.getpid():
        sys.stdout.flush()
        os._exit(exitcode)


def web() -> Web:
    """This process's client of web."""
    if _web is None:
        raise RuntimeError("open_process was not called in this process")
    return _web


def keeper() -> Keeper:
    """This process's keeper."""
    if _keeper is None:
        raise RuntimeError("open_process was not called in this process")
    return _keeper


def groups() -> Groups:
    """This process's way to run many jobs of one command."""
    if _groups is None:
        raise RuntimeError("open_process was not called in this process")
    return _groups


def holding(job_id: str) -> AbstractContextManager[None]:
    """Within the block this process's slip names the job."""
    return _slip.holding(job_id) if _slip else nullcontext()
