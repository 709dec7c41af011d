"""Doors: the worker's side of a job, and the clock's (design/jobs.md). Service tokens only.

A busy site calls these more often than all its other doors together; hence plain functions (`core.internal`).
"""

from __future__ import annotations

import uuid
from typing import Annotated, Any, Literal

import orjson
from msgspec import Meta, Struct, to_builtins

from ochaq_web.core.internal import internal_door
from ochaq_web.jobs import schedules, services
from ochaq_web.jobs.live import tell_progress
from ochaq_web.jobs.maintenance import sweep
from ochaq_web.jobs.models import Job

Worker = Annotated[str, Meta(min_length=1, max_length=128)]
Fence = Annotated[int, Meta(ge=1, le=2**53)]
Count = Annotated[int, Meta(ge=0, le=2**53)]
MOST_AT_ONCE = 100


class Nothing(Struct):
    """An empty object; what else stands in it is ignored."""


class Claim(Struct):
    worker: Worker


class Progress(Struct):
    done: Count
    total: Count


class Heartbeat(Struct):
    fence: Fence
    progress: Progress | None = None
    checkpoint: dict[str, Any] | None = None


class Error(Struct):
    """What a failed run says. What is no `transient` failure ends the job."""

    code: Annotated[str, Meta(min_length=1, max_length=64)]
    detail: str = ""
    retry: Literal["transient", "permanent", "poison"] = "permanent"
    after_seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None


class Finish(Struct):
    fence: Fence
    status: Literal["succeeded", "failed", "cancelled", "waiting"]
    result: dict[str, Any] | None = None
    error: Error | None = None
    checkpoint: dict[str, Any] | None = None


class Claims(Struct):
    worker: Worker
    jobs: Annotated[list[uuid.UUID], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Ended(Finish, kw_only=True):
    id: uuid.UUID


class Finishes(Struct):
    jobs: Annotated[list[Ended], Meta(min_length=1, max_length=MOST_AT_ONCE)]


class Child(Struct):
    kind: str
    params: dict[str, Any] = {}
    dedupe_key: Annotated[str, Meta(min_length=1, max_length=150)] | None = None


class Children(Struct):
    fence: Fence
    jobs: list[Child]


class Release(Struct):
    worker: Worker
    lost: bool = False


@internal_door(Claim)
def claim(asked: Claim, job_id: uuid.UUID) -> dict[str, Any]:
    """`{"worker"}` → the job, its fence, how long this run may last, and how its children ended."""
    return _claimed(services.job_claim(job_id=job_id, worker=asked.worker))


@internal_door(Claims)
def claims(asked: Claims) -> dict[str, Any]:
    """`{"worker", "jobs": [id]}` → `{"claims", "refused"}`: what `claim` answers, of each, and the other ids."""
    taken, refused = services.jobs_claim(job_ids=asked.jobs, worker=asked.worker)
    return {"claims": [_claimed(job) for job in taken], "refused": refused}


def _claimed(job: Job) -> dict[str, Any]:
    return {
        "id": job.id,
        "kind": job.kind,
        "params": job.params,
        "fence": job.fence,
        "attempt": job.attempt,
        "checkpoint": job.checkpoint,
        "lease_seconds": services.LEASE_SECONDS,
        "deadline_seconds": job.deadline_seconds,
        "cancel": job.cancel_requested_at is not None,
        "cancel_grace_seconds": services.CANCEL_GRACE_SECONDS,
        "children": orjson.Fragment(job.children_now or "[]"),  # type: ignore[attr-defined]
        "owner": str(job.owner_id or ""),
    }


@internal_door(Heartbeat)
def heartbeat(asked: Heartbeat, job_id: uuid.UUID) -> dict[str, Any]:
    """`{"fence", "progress", "checkpoint"}` → `{"cancel"}`."""
    progress = None if asked.progress is None else {"done": asked.progress.done, "total": asked.progress.total}
    job, tell = services.job_heartbeat(job_id=job_id, fence=asked.fence, progress=progress, checkpoint=asked.checkpoint)
    if tell:
        tell_progress(job)
    return {"cancel": job.cancel_requested_at is not None}


@internal_door(Finish)
def finish(asked: Finish, job_id: uuid.UUID) -> dict[str, Any]:
    """`{"fence", "status", "result", "error", "checkpoint"}` → `{"status"}`."""
    return {"status": str(services.job_finish(**_ending(asked, job_id)).status)}


@internal_door(Finishes)
def finishes(asked: Finishes) -> dict[str, Any]:
    """`{"jobs": [finish with "id"]}` → `{"jobs": {id: status}}`; for one refused the code of its problem."""
    ended = services.jobs_finish(runs=[_ending(one, one.id) for one in asked.jobs])
    return {"jobs": {str(job_id): status for job_id, status in ended}}


def _ending(asked: Finish, job_id: uuid.UUID) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "fence": asked.fence,
        "status": asked.status,
        "result": asked.result,
        "error": None if asked.error is None else to_builtins(asked.error),
        "checkpoint": asked.checkpoint,
    }


@internal_door(Children)
def children(asked: Children, job_id: uuid.UUID) -> dict[str, Any]:
    """`{"fence", "jobs": [{"kind", "params", "dedupe_key"?}]}` → `{"ids"}`, in the same order."""
    jobs = [{"kind": one.kind, "params": one.params, "dedupe_key": one.dedupe_key} for one in asked.jobs]
    return {"ids": services.children_start(job_id=job_id, fence=asked.fence, jobs=jobs)}


@internal_door(Release)
def release(asked: Release, job_id: uuid.UUID) -> dict[str, Any]:
    """`{"worker", "lost"}` → `{"status"}`: the process of that name gave its job back, or died."""
    return {"status": str(services.job_release(job_id=job_id, worker=asked.worker, lost=asked.lost).status)}


@internal_door(Nothing)
def tick(asked: Nothing) -> dict[str, Any]:
    """Starts what the schedules say → `{"fired", "next_in_seconds"}`; called every second, by as many as like to."""
    return schedules.schedules_fire()


@internal_door(Nothing)
def sweep_now(asked: Nothing) -> dict[str, Any]:
    """What the hourly maintenance calls; safe to call at any time, any number of times."""
    return sweep()
