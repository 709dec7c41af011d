"""One run of one job: claim it, do it, end it. What is done lies in `generation` and its like.

While the rule works the `Keeper` of its process keeps the lease, tells the progress, and sees that a run which was
told to stop does stop.
"""

from __future__ import annotations

import math
import os
import socket
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import copy_context
from typing import Any

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker import limits
from ochaq_worker.keeper import Keeper
from ochaq_worker.outcomes import Cancelled, JobFailed, Poisoned, Transient, Waiting, of_exception
from ochaq_worker.web import Claim, LeaseLost, NotClaimable, Outcome, Web

__all__ = [
    "Cancelled",
    "JobFailed",
    "LeaseLost",
    "Poisoned",
    "Rule",
    "Run",
    "Transient",
    "Waiting",
    "finish",
    "outcome_of",
    "run_job",
    "worker_name",
]

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 3.0

Rule = Callable[["Run"], dict[str, Any]]


class Run:
    """What a rule sees of its job. `web` has the doors a rule may call, `claim` its parameters and checkpoint."""

    def __init__(self, web: Web, claim: Claim, relieve: Callable[[], None] = lambda: None) -> None:
        """`relieve` is called now and then while the rule works, for the sake of others that wait for it."""
        self.web, self.claim, self.relieve = web, claim, relieve
        self.began = self.beaten_at = time.monotonic()
        # In a copy of the context the heartbeats belong to the same story as the click.
        self.context = copy_context()
        self.told: Exception | None = None
        self.told_at = 0.0
        self._progress: dict[str, int] | None = None
        self._checkpoint: dict[str, Any] | None = None
        self._changed = False
        self._lock = threading.Lock()
        if claim.cancel:
            self.tell(Cancelled(claim.id))

    def advance(self, done: int, total: int, checkpoint: dict[str, Any] | None = None) -> None:
        """One step is stored. Raises what `check` raises when the next one must not begin."""
        with self._lock:
            self._progress = {"done": done, "total": total}
            self._checkpoint = checkpoint
            self._changed = True
        self.check()

    def check(self) -> None:
        """Raise when the job must stop here: `Cancelled`, `LeaseLost`, or `TimeLimit` past its deadline."""
        if self.told is not None:
            raise self.told

    def pause(self, seconds: float) -> None:
        """Sleep, but not beyond the moment in which the job is told to stop."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.check()
            time.sleep(min(left, 0.05))
        self.check()

    def spawn(self, jobs: list[dict[str, Any]]) -> list[str]:
        """Make children, `{kind, params, dedupe_key?}` each; answers their ids. `raise Waiting(checkpoint)` waits.

        A rule that is run again calls this again: give every child a `dedupe_key` that follows from the job's id, and
        the children that are there already are the answer.
        """
        return self.web.spawn(self.claim, jobs)

    def tell(self, reason: Exception) -> None:
        """Ask the rule to stop; the first reason stands."""
        if self.told is None:
            self.told, self.told_at = reason, time.monotonic()

    def past_deadline(self, now: float) -> bool:
        deadline = self.claim.deadline_seconds
        return deadline is not None and now - self.began > deadline

    def hurry(self) -> None:
        """Ask web at once, and not when the next heartbeat is due."""
        self.beaten_at = -math.inf

    def due(self, now: float) -> bool:
        """There is progress that web does not know yet, or the lease wants extending."""
        return self._changed or now - self.beaten_at >= HEARTBEAT_SECONDS

    def beat(self) -> None:
        """Extend the lease and tell what is new; afterwards the run knows whether it shall stop."""
        with self._lock:
            progress, checkpoint, self._changed = self._progress, self._checkpoint, False
        self.beaten_at = time.monotonic()
        try:
            if self.web.heartbeat(self.claim, progress, checkpoint):
                self.tell(Cancelled(self.claim.id))
        except LeaseLost as lost:
            self.tell(lost)
        except (Unavailable, UpstreamProblem) as error:
            with self._lock:  # what could not be told is still to be told
                self._changed = self._changed or progress is not None
            log.warning("run_heartbeat_failed", job=self.claim.id, error=str(error))


def run_job(web: Web, keeper: Keeper, job_id: str, rules: Mapping[str, Rule]) -> str:
    """Run a job from claim to finish; answers how it ended, for the log. Nothing a rule does is raised further."""
    try:
        claim = web.claim(job_id, worker_name())
    except (NotClaimable, Unavailable, UpstreamProblem) as refusal:
        # A lost command is no lost job: whatever still needs doing is dispatched again by web's reaper.
        log.info("run_not_claimed", job=job_id, reason=f"{type(refusal).__name__}: {refusal}")
        return "not_claimed"
    with structlog.contextvars.bound_contextvars(job=claim.id, kind=claim.kind, fence=claim.fence):
        try:
            return finish(web, claim, outcome_of(web, keeper, claim, rules))
        except (LeaseLost, Unavailable) as error:
            log.warning("run_abandoned", reason=f"{type(error).__name__}: {error}")
            return "abandoned"


def worker_name(pid: int | None = None) -> str:
    """Who holds a lease, for people and for the main process, which hands back what a dead one of its own held."""
    return f"{socket.gethostname()}:{pid or os.getpid()}"


def outcome_of(
    web: Web,
    keeper: Keeper,
    claim: Claim,
    rules: Mapping[str, Rule],
    relieve: Callable[[], None] = lambda: None,
) -> Outcome:
    """How a claimed job ends, after its rule has worked; raises `LeaseLost`, `Unavailable`: then nobody waits."""
    try:
        run = Run(web, claim, relieve)
        with keeper.watching(run):
            return Outcome("succeeded", _rule(rules, claim.kind)(run))
    except BaseException as error:
        if isinstance(error, MemoryError):
            limits.relax()  # else there would be none left to say so
        return of_exception(error)


def _rule(rules: Mapping[str, Rule], kind: str) -> Rule:
    if kind not in rules:
        raise Poisoned("jobs.unknown_kind", f"This worker does not know {kind}.")
    return rules[kind]


def finish(web: Web, claim: Claim, outcome: Outcome) -> str:
    """Tell web how the run ended; answers what web made of it."""
    try:
        status = web.finish(claim, outcome)
    except UpstreamProblem as problem:
        # What the rule gave back is nothing that web can keep; said in web's own words, so that it does not come again.
        log.error("run_result_refused", status=problem.status, code=problem.code)
        refused = Poisoned("jobs.result_refused", f"Web refused how the job ended: {problem.code}")
        status = web.finish(claim, Outcome("failed", error=refused.error()))
    log.info("run_finished", status=outcome.status, result=outcome.result, error=outcome.error)
    return status
