"""The worker's side of web's internal doors, with the patience that a job has and a request has not.

Web may be restarted in the middle of a job. Every call here is safe to repeat (claims and writes are fenced, chunks are
idempotent), so it is repeated until web answers or the job's own patience is over.
"""

from __future__ import annotations

import random
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem
from ochaq_shared.identity import Signer

from ochaq_worker.line import JSON, Answer, Line
from ochaq_worker.settings import WorkerSettings

log = structlog.get_logger(__name__)

PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.1
PAUSE_MOST_SECONDS = 2.0
TIMEOUT_SECONDS = 10.0
HEARTBEAT_TIMEOUT_SECONDS = (
    2.5  # shorter than the time between two, so that a silent web costs one heartbeat, not three
)
NDJSON = "application/x-ndjson"
BUSY = {429, 502, 503, 504}


class LeaseLost(Exception):
    """Another worker has the job by now, or it is over: whatever this one still does, nobody wants it."""


class NotClaimable(Exception):
    """The command was a duplicate, came too late, or it is not this job's turn."""


class Busy(Unavailable):
    """Web asked to be left alone for longer than the caller has patience: `after_seconds` is what it asked for."""

    def __init__(self, detail: str, after_seconds: float) -> None:
        self.after_seconds = after_seconds
        super().__init__(detail)


@dataclass(frozen=True)
class Claim:
    """A job as web handed it out: `fence` goes with every call until the lease is lost.

    `deadline_seconds` is how long this run may last, `cancel_grace_seconds` how long a rule may take to notice that it
    shall stop, `children` what became of the jobs that this one waited for (`id kind status result error` of each).
    """

    id: str
    kind: str
    params: dict[str, Any]
    fence: int
    attempt: int
    checkpoint: dict[str, Any] | None
    lease_seconds: float
    cancel: bool
    deadline_seconds: float | None = None
    cancel_grace_seconds: float = 3.0
    children: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """How a run ended, as web's finish door takes it."""

    status: str
    result: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    checkpoint: dict[str, Any] | None = None


class Web:
    """Web's `/internal/v1/` for one worker process. Thread-safe."""

    def __init__(self, line: Line, *, patience: float = PATIENCE_SECONDS) -> None:
        self._line = line
        self._patience = patience

    def claim(self, job_id: str, worker: str) -> Claim:
        """Take the job; raises `NotClaimable`."""
        try:
            answer = self._post(f"/internal/v1/jobs/{job_id}/claim", json={"worker": worker})
        except UpstreamProblem as problem:
            if problem.status in {404, 409}:
                raise NotClaimable(problem.code) from problem
            raise
        return _claim(answer)

    def claim_many(self, job_ids: Sequence[str], worker: str) -> list[Claim]:
        """Take those of these jobs that can be taken."""
        answer = self._post("/internal/v1/jobs/claims", json={"worker": worker, "jobs": list(job_ids)})
        return [_claim(each) for each in answer["claims"]]

    def heartbeat(
        self, claim: Claim, progress: dict[str, int] | None = None, checkpoint: dict[str, Any] | None = None
    ) -> bool:
        """Extend the lease once, without patience: the next heartbeat comes anyway. True when the job is cancelled."""
        body = {"fence": claim.fence, "progress": progress, "checkpoint": checkpoint}
        path = f"/internal/v1/jobs/{claim.id}/heartbeat"
        return bool(self.fenced(path, patience=0, timeout=HEARTBEAT_TIMEOUT_SECONDS, json=body)["cancel"])

    def finish(self, claim: Claim, outcome: Outcome, *, patience: float | None = None) -> str:
        """End the run; web decides, and answers the status that the job has now."""
        path = f"/internal/v1/jobs/{claim.id}/finish"
        return str(self.fenced(path, patience=patience, json=_ending(claim, outcome))["status"])

    def finish_many(self, ended: Sequence[tuple[Claim, Outcome]]) -> dict[str, str]:
        """End these runs; answers by id the status of each job now, or the code of the problem there is with it."""
        body = {"jobs": [{"id": claim.id, **_ending(claim, outcome)} for claim, outcome in ended]}
        answer = self._post("/internal/v1/jobs/finishes", json=body)
        return {str(job_id): str(status) for job_id, status in answer["jobs"].items()}

    def spawn(self, claim: Claim, jobs: list[dict[str, Any]]) -> list[str]:
        """Make children of this job, `{kind, params, dedupe_key?}` each; answers their ids in the same order."""
        answer = self.fenced(f"/internal/v1/jobs/{claim.id}/children", json={"fence": claim.fence, "jobs": jobs})
        return [str(job_id) for job_id in answer["ids"]]

    def release(self, job_id: str, worker: str, *, lost: bool) -> None:
        """Hand back the lease of a worker that runs no more; `lost` when it died of itself. No patience: leases end."""
        path = f"/internal/v1/jobs/{job_id}/release"
        self._post(path, patience=0, timeout=HEARTBEAT_TIMEOUT_SECONDS, json={"worker": worker, "lost": lost})

    def store_students(self, claim: Claim, chunk: int, body: bytes) -> int:
        """Store one chunk of students; answers how many."""
        params = {"job": claim.id, "fence": claim.fence, "chunk": chunk}
        answer = self.fenced("/internal/v1/students/batches", params=params, content=body, content_type=NDJSON)
        return int(answer["count"])

    def purge_students(self, claim: Claim) -> tuple[int, bool]:
        """Remove demo students for about a second; answers how many are gone by now, and whether that was all."""
        answer = self.fenced("/internal/v1/students/purges", json={"job": claim.id, "fence": claim.fence})
        return int(answer["removed"]), bool(answer["done"])

    def sweep(self) -> dict[str, Any]:
        """Ask web to forget what it need not remember."""
        return self._post("/internal/v1/maintenance/sweep", json={})

    def tick(self) -> dict[str, Any]:
        """Let web start what is due by its schedules: `{fired: [{schedule, slot, job}], next_in_seconds}`."""
        return self._post("/internal/v1/schedules/tick", patience=0, json={})

    def fenced(self, path: str, **options: Any) -> dict[str, Any]:
        """A call that names this run's fence in its body or parameters; raises `LeaseLost` when that is no longer so.

        `options` are `json`, or `content` and `content_type`; `params`; `patience` and `timeout` in seconds.
        """
        try:
            return self._post(path, **options)
        except UpstreamProblem as problem:
            if problem.code == "jobs.stale_fence" or problem.status == 404:
                raise LeaseLost(problem.code) from problem
            raise

    def _post(
        self,
        path: str,
        *,
        patience: float | None = None,
        timeout: float = TIMEOUT_SECONDS,
        content_type: str = JSON,
        **options: Any,
    ) -> dict[str, Any]:
        """Ask until web answers, with growing pauses and for as long as `patience`."""
        until = time.monotonic() + (self._patience if patience is None else patience)
        pause = PAUSE_SECONDS
        while True:
            try:
                return _accepted(path, self._line.post(path, content_type=content_type, timeout=timeout, **options))
            except Unavailable as error:
                wait = error.after_seconds if isinstance(error, Busy) else pause * random.uniform(0.5, 1.5)  # noqa: S311
                if time.monotonic() + wait > until:
                    raise
                log.warning("web_retry", path=path, failure=str(error), wait_seconds=round(wait, 2))
                time.sleep(wait)
                pause = min(pause * 2, PAUSE_MOST_SECONDS)


def open_web(settings: WorkerSettings) -> Web:
    """A client of web for the process that asks: it may not be shared across a fork."""
    return Web(Line(settings.web_url, Signer(settings.signing_key_file, "worker"), "web"))


def _claim(answer: Mapping[str, Any]) -> Claim:
    return Claim(**{name: answer[name] for name in Claim.__dataclass_fields__ if name in answer})


def _ending(claim: Claim, outcome: Outcome) -> dict[str, Any]:
    body = {"fence": claim.fence, "status": outcome.status, "result": outcome.result, "error": outcome.error}
    return body if outcome.checkpoint is None else {**body, "checkpoint": outcome.checkpoint}


def _accepted(path: str, answer: Answer) -> dict[str, Any]:
    if answer.status < 400:
        return answer.json()
    if answer.status in BUSY and answer.retry_after is not None:
        raise Busy(f"POST {path}: answered {answer.status}", answer.retry_after)
    if answer.status >= 500 or answer.status in BUSY:
        raise Unavailable(f"POST {path}: answered {answer.status}")
    raise UpstreamProblem(answer.status, answer.json())
