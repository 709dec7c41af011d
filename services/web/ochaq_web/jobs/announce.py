"""How a job is shown to others, and how its command is sent."""

from __future__ import annotations

import math
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from django.db import connection
from ochaq_shared import outbox
from ochaq_shared.commands import celery_command, celery_group_command, plain_command

from ochaq_web.jobs.kinds import KINDS, Executor
from ochaq_web.jobs.models import Job

TASK = "ochaq.jobs.run"
TASK_GROUP = "ochaq.jobs.run_group"
# Jobs of this queue are over so soon that their commands would be most of the work.
GROUPED_QUEUE = "jobs.short"
LARGEST_GROUP = 25
# A few jobs are still spread over this many workers.
LEAST_GROUPS = 8
# Celery's own limits are the second line: web fails a run at its deadline, the soft limit ends the task soon after.
SOFT_GRACE_SECONDS = 5
HARD_GRACE_SECONDS = 15


def job_core(job: Job) -> dict[str, Any]:
    """The fields that both job events carry (contract.md); `transitions` writes the same ones in SQL."""
    return {
        "id": str(job.id),
        "kind": job.kind,
        "status": str(job.status),
        "progress": {"done": job.progress_done, "total": job.progress_total},
        "result": job.result,
        "error": job.error,
        "owner": str(job.owner_id or ""),
        "attempt": job.attempt,
        "params": job.params,
    }


def job_public(job: Job) -> dict[str, Any]:
    """The job as the API and the pages show it."""
    return {
        **job_core(job),
        "parent": str(job.parent_id) if job.parent_id else None,
        "pending_children": job.pending_children,
        "cancel_requested": job.cancel_requested_at is not None,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def dispatch(job: Job) -> None:
    """Put the job's command into the outbox. Sending it again is harmless: the second dies at the claim."""
    if KINDS[job.kind].executor is Executor.PLAIN:
        command = plain_command(job.queue, str(job.id), {"job_id": str(job.id)})
    else:
        command = celery_command(TASK, str(job.id), job.queue, _time_limits(job.deadline_seconds))
    outbox.send(connection, command)


def dispatch_many(jobs: Sequence[Job], parent_id: uuid.UUID) -> None:
    """As `dispatch`; short ones go in groups, which a worker claims and ends together as long as they are quick."""
    grouped = [job for job in jobs if job.queue == GROUPED_QUEUE and not job.exclusive]
    for job in jobs:
        if job.queue != GROUPED_QUEUE or job.exclusive:
            dispatch(job)
    size = min(LARGEST_GROUP, math.ceil(len(grouped) / LEAST_GROUPS))
    for first in range(0, len(grouped), max(size, 1)):
        _dispatch_group(grouped[first : first + size], parent_id)


def _dispatch_group(jobs: Sequence[Job], parent_id: uuid.UUID) -> None:
    if len(jobs) == 1:
        dispatch(jobs[0])
        return
    deadlines = [job.deadline_seconds for job in jobs]
    longest = None if None in deadlines else sum(each or 0 for each in deadlines)
    ids = [str(job.id) for job in jobs]
    outbox.send(connection, celery_group_command(TASK_GROUP, ids, GROUPED_QUEUE, str(parent_id), _time_limits(longest)))


def _time_limits(deadline: int | None) -> tuple[int, int] | None:
    return None if deadline is None else (deadline + HARD_GRACE_SECONDS, deadline + SOFT_GRACE_SECONDS)


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
