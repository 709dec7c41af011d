"""How a run can end, and which ending an exception means.

A failure says what trying again would bring: `transient` (web queues the job again after a while), `permanent` (the
same job would fail in the same way), `poison` (nobody expected it: a person has to look, and may redrive it then).
"""

from __future__ import annotations

from typing import Any

import structlog
from billiard.common import terminate_handler_fired  # type: ignore[attr-defined]
from celery.exceptions import SoftTimeLimitExceeded
from ochaq_shared.http import Unavailable, UpstreamProblem

from ochaq_worker.web import Busy, LeaseLost, Outcome

log = structlog.get_logger(__name__)

BUSY = {429, 503}


class Cancelled(Exception):
    """Somebody asked the job to stop, and it stopped between two steps."""


class JobFailed(Exception):
    """The job cannot succeed, and trying again would not help. `code` is a stable word for programs."""

    retry = "permanent"

    def __init__(self, code: str, detail: str) -> None:
        self.code, self.detail = code, detail
        super().__init__(f"{code}: {detail}")

    def error(self) -> dict[str, Any]:
        """What web keeps of it."""
        return {"code": self.code, "detail": self.detail, "retry": self.retry}


class Transient(JobFailed):
    """It may well succeed later: after `after_seconds` where somebody said so, else after web's own backoff."""

    retry = "transient"

    def __init__(self, code: str, detail: str, after_seconds: float | None = None) -> None:
        self.after_seconds = after_seconds
        super().__init__(code, detail)

    def error(self) -> dict[str, Any]:
        after = {} if self.after_seconds is None else {"after_seconds": self.after_seconds}
        return {**super().error(), **after}


class Poisoned(JobFailed):
    """Neither the job nor time can mend it: the code or the data must change first."""

    retry = "poison"


class TimeLimit(JobFailed):
    """The job's own deadline, or its kind's, is over."""

    def __init__(self) -> None:
        super().__init__("jobs.time_limit", "The job ran longer than it may.")


class Waiting(Exception):
    """The rule has made its children and goes on from `checkpoint` when the last of them is over."""

    def __init__(self, checkpoint: dict[str, Any]) -> None:
        self.checkpoint = checkpoint
        super().__init__("waiting for children")


def of_exception(error: BaseException) -> Outcome:
    """The outcome that an exception out of a rule means.

    `LeaseLost` and `Unavailable` are raised again: there is nobody left to report to, and the lease runs out. A rule's
    own `SystemExit` is a failure like any other, since Celery's main process would take it as its own.
    """
    match error:
        case Waiting():
            return Outcome("waiting", checkpoint=error.checkpoint)
        case Cancelled():
            return Outcome("cancelled")
        case JobFailed():
            return Outcome("failed", error=error.error())
        case SoftTimeLimitExceeded():
            return Outcome("failed", error=TimeLimit().error())
        case MemoryError():
            return Outcome("failed", error=JobFailed("jobs.memory", "The job needed more memory than it may.").error())
        case Busy():
            return _busy(error.after_seconds)
        case UpstreamProblem():
            return _refused(error)
        case LeaseLost() | Unavailable():
            raise error
        case SystemExit() | KeyboardInterrupt() if terminate_handler_fired():
            raise error
    log.error("run_crashed", exc_info=error)
    detail = "The job met an error that nobody expected."
    return Outcome("failed", error=Poisoned("jobs.crashed", detail).error())


def _refused(problem: UpstreamProblem) -> Outcome:
    if problem.status in BUSY:
        return _busy(None)
    log.error("run_refused", status=problem.status, code=problem.code)
    refused = JobFailed(problem.code or "jobs.refused", str(problem.body.get("detail", "")))
    return Outcome("failed", error=refused.error())


def _busy(after_seconds: float | None) -> Outcome:
    busy = Transient("jobs.upstream_busy", "Another service asked to be called later.", after_seconds)
    return Outcome("failed", error=busy.error())
