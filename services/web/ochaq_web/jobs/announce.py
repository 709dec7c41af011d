"""How a change of a job is told: a row of its timeline and a fact in the outbox, in the transaction of the change."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.db import connection
from ochaq_shared import outbox
from ochaq_shared.commands import celery_command, plain_command
from ochaq_shared.events.jobs import JobChanged, Progress

from ochaq_web.jobs.kinds import KINDS, Executor
from ochaq_web.jobs.models import Job, JobEvent

TASK = "ochaq.jobs.run"


def job_core(job: Job) -> dict[str, Any]:
    """The fields that both job events carry (contract.md)."""
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
        "cancel_requested": job.cancel_requested_at is not None,
        "created_at": _time(job.created_at),
        "started_at": _time(job.started_at),
        "finished_at": _time(job.finished_at),
    }


def announce(job: Job, kind: str, *, actor: str = "", **data: Any) -> None:
    """Tell a change whose row (with its raised `version`) has just been written."""
    JobEvent.objects.create(job_id=job.id, seq=job.version, kind=kind, actor=actor, data=data)
    core = job_core(job)
    fact = JobChanged(**{**core, "progress": Progress(**core["progress"])})
    outbox.emit(connection, fact, subject=str(job.id), version=job.version)


def dispatch(job: Job) -> None:
    """Put the job's command into the outbox. Sending it again is harmless: the second dies at the claim."""
    kind = KINDS[job.kind]
    if kind.executor is Executor.CELERY:
        command = celery_command(TASK, str(job.id), job.queue)
    else:
        command = plain_command(job.queue, str(job.id), {"job_id": str(job.id)})
    outbox.send(connection, command)


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
