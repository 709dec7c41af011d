"""The worker's side of web's internal doors, with the patience that a job has and a request has not.

Web may be restarted in the middle of a job. Every call here is safe to repeat (claims and writes are fenced, chunks are
idempotent), so it is repeated until web answers or the job's own patience is over.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from ochaq_shared.http import InternalClient, Unavailable, UpstreamProblem

PATIENCE_SECONDS = 120.0
PAUSE_SECONDS = 0.5
NDJSON = {"Content-Type": "application/x-ndjson"}


class LeaseLost(Exception):
    """Another worker has the job by now, or it is over: whatever this one still does, nobody wants it."""


class NotClaimable(Exception):
    """The command was a duplicate, came too late, or it is not this job's turn."""


@dataclass(frozen=True)
class Claim:
    """A job as web handed it out: `fence` goes with every call until the lease is lost."""

    id: str
    kind: str
    params: dict[str, Any]
    fence: int
    attempt: int
    checkpoint: dict[str, Any] | None
    lease_seconds: int
    cancel: bool


class Web:
    """Web's `/internal/v1/` for one worker process. Thread-safe."""

    def __init__(self, client: InternalClient, *, patience: float = PATIENCE_SECONDS) -> None:
        self._client = client
        self._patience = patience

    def claim(self, job_id: str, worker: str) -> Claim:
        """Take the job; raises `NotClaimable`."""
        try:
            answer = self._post(f"/internal/v1/jobs/{job_id}/claim", json={"worker": worker})
        except UpstreamProblem as problem:
            if problem.status in {404, 409}:
                raise NotClaimable(problem.code) from problem
            raise
        return Claim(**{name: answer[name] for name in Claim.__dataclass_fields__})

    def heartbeat(
        self, claim: Claim, progress: dict[str, int] | None = None, checkpoint: dict[str, Any] | None = None
    ) -> bool:
        """Extend the lease once, without patience: the next heartbeat comes anyway. True when the job is cancelled."""
        body = {"fence": claim.fence, "progress": progress, "checkpoint": checkpoint}
        answer = self._fenced(f"/internal/v1/jobs/{claim.id}/heartbeat", patience=0, json=body)
        return bool(answer["cancel"])

    def finish(
        self, claim: Claim, status: str, result: dict[str, Any] | None = None, error: dict[str, str] | None = None
    ) -> None:
        """End the run; web decides."""
        body = {"fence": claim.fence, "status": status, "result": result, "error": error}
        self._fenced(f"/internal/v1/jobs/{claim.id}/finish", json=body)

    def store_students(self, claim: Claim, chunk: int, body: bytes) -> int:
        """Store one chunk of students; answers how many."""
        params = {"job": claim.id, "fence": claim.fence, "chunk": chunk}
        answer = self._fenced("/internal/v1/students/batches", params=params, content=body, headers=NDJSON)
        return int(answer["count"])

    def purge_students(self, claim: Claim) -> tuple[int, bool]:
        """Remove demo students for about a second; answers how many are gone by now, and whether that was all."""
        answer = self._fenced("/internal/v1/students/purges", json={"job": claim.id, "fence": claim.fence})
        return int(answer["removed"]), bool(answer["done"])

    def sweep(self) -> dict[str, Any]:
        """Ask web to forget what it need not remember."""
        return self._post("/internal/v1/maintenance/sweep", json={})

    def _fenced(self, path: str, *, patience: float | None = None, **options: Any) -> dict[str, Any]:
        try:
            return self._post(path, patience=patience, **options)
        except UpstreamProblem as problem:
            if problem.code == "jobs.stale_fence" or problem.status == 404:
                raise LeaseLost(problem.code) from problem
            raise

    def _post(self, path: str, *, patience: float | None = None, **options: Any) -> dict[str, Any]:
        until = time.monotonic() + (self._patience if patience is None else patience)
        while True:
            try:
                answer: dict[str, Any] = self._client.request("POST", path, idempotent=True, **options).json()
                return answer
            except Unavailable:
                if time.monotonic() > until:
                    raise
                time.sleep(PAUSE_SECONDS)
