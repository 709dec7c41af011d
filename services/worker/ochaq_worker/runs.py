"""One run of one job: claim it, keep its lease, do it, end it. What is done lies in `generation` and its like."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from functools import partial
from types import TracebackType
from typing import Any, Self

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.web import Claim, LeaseLost, NotClaimable, Web

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 3.0
TICK_SECONDS = 0.25  # progress is told at most four times a second


class Cancelled(Exception):
    """Somebody asked the job to stop, and it stopped between two steps."""


class JobFailed(Exception):
    """The job cannot succeed, and trying again would not help. `code` is a stable word for programs."""

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")


Rule = Callable[["Run"], dict[str, Any]]


class Run:
    """What a rule sees of its job. A thread keeps the lease while the rule works; use as a context manager."""

    def __init__(self, web: Web, claim: Claim) -> None:
        self.web, self.claim = web, claim
        self._over = threading.Event()
        self._cancelled = claim.cancel
        self._lost = False
        self._progress: dict[str, int] | None = None
        self._checkpoint: dict[str, Any] | None = None
        self._changed = False
        self._lock = threading.Lock()
        # In a copy of the context: the heartbeats belong to the same story as the click.
        keep_alive = partial(copy_context().run, self._keep_alive)
        self._thread = threading.Thread(target=keep_alive, daemon=True, name=f"heartbeat-{claim.id}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        # A heartbeat under way may outlive the run: its fence is refused once the job is finished.

    def advance(self, done: int, total: int, checkpoint: dict[str, Any]) -> None:
        """One step is stored. Raises `Cancelled` or `LeaseLost` when the next one must not begin."""
        with self._lock:
            self._progress = {"done": done, "total": total}
            self._checkpoint = checkpoint
            self._changed = True
        self.check()

    def check(self) -> None:
        """Raise when the job must stop here."""
        if self._lost:
            raise LeaseLost(self.claim.id)
        if self._cancelled:
            raise Cancelled(self.claim.id)

    def _keep_alive(self) -> None:
        last = time.monotonic()
        while not self._over.wait(TICK_SECONDS):
            if not self._changed and time.monotonic() - last < HEARTBEAT_SECONDS:
                continue
            last = time.monotonic()
            self._beat()

    def _beat(self) -> None:
        with self._lock:
            progress, checkpoint, self._changed = self._progress, self._checkpoint, False
        try:
            self._cancelled = self.web.heartbeat(self.claim, progress, checkpoint) or self._cancelled
        except LeaseLost:
            self._lost = True
        except (Unavailable, UpstreamProblem) as error:
            log.warning("run_heartbeat_failed", job=self.claim.id, error=str(error))


def run_job(web: Web, job_id: str, rules: Mapping[str, Rule]) -> str:
    """Run a job from claim to finish; answers how it ended, for the log. Nothing it meets is raised further."""
    try:
        claim = web.claim(job_id, worker_name())
    except (NotClaimable, Unavailable, UpstreamProblem) as refusal:
        # A lost command is no lost job: whatever still needs doing is dispatched again by web's reaper.
        log.info("run_not_claimed", job=job_id, reason=f"{type(refusal).__name__}: {refusal}")
        return "not_claimed"
    with structlog.contextvars.bound_contextvars(job=claim.id, kind=claim.kind, fence=claim.fence):
        try:
            return _finish(web, claim, *_outcome(web, claim, rules))
        except (LeaseLost, Unavailable) as error:
            log.warning("run_abandoned", reason=f"{type(error).__name__}: {error}")
            return "abandoned"


def worker_name() -> str:
    """Who holds a lease, for people: host and process."""
    return f"{socket.gethostname()}:{os.getpid()}"


Outcome = tuple[str, dict[str, Any] | None, dict[str, str] | None]


def _outcome(web: Web, claim: Claim, rules: Mapping[str, Rule]) -> Outcome:
    """Do the work; `LeaseLost` and `Unavailable` pass through, since there is nobody left to report to."""
    try:
        with Run(web, claim) as run:
            return "succeeded", _rule(rules, claim.kind)(run), None
    except Cancelled:
        return "cancelled", None, None
    except JobFailed as error:
        return "failed", None, {"code": error.code, "detail": error.detail}
    except SoftTimeLimitExceeded:
        return "failed", None, {"code": "jobs.time_limit", "detail": "The job ran longer than it may."}
    except UpstreamProblem as problem:
        log.error("run_refused", status=problem.status, code=problem.code)
        return "failed", None, {"code": problem.code or "jobs.refused", "detail": str(problem.body.get("detail", ""))}
    except (LeaseLost, Unavailable):
        raise
    except Exception as error:  # a bug in a rule fails its job, visibly, and never the worker
        log.error("run_crashed", exc_info=error)
        return "failed", None, {"code": "jobs.crashed", "detail": "The job met an error that nobody expected."}


def _rule(rules: Mapping[str, Rule], kind: str) -> Rule:
    if kind not in rules:
        raise JobFailed("jobs.unknown_kind", f"This worker does not know {kind}.")
    return rules[kind]


def _finish(web: Web, claim: Claim, status: str, result: dict[str, Any] | None, error: dict[str, str] | None) -> str:
    web.finish(claim, status, result, error)
    log.info("run_finished", status=status, result=result, error=error)
    return status
