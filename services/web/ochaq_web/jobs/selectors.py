"""Reading jobs: whose they are, how many there are, who works on them."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from django.db.models import Count, QuerySet
from django.db.models.functions import Now
from django.urls import reverse
from ochaq_shared.problems import Problem

from ochaq_web.core.policy import Act, allows
from ochaq_web.jobs.announce import job_public
from ochaq_web.jobs.models import LIVE, Job, JobEvent, Status


def jobs_visible_to(actor: Any) -> QuerySet[Job]:
    """Operators see every job, everybody else their own."""
    if allows(actor, Act.JOBS_OPERATE):
        return Job.objects.all()
    return jobs_of(actor)


def jobs_of(actor: Any) -> QuerySet[Job]:
    """The jobs somebody started, the newest first."""
    return Job.objects.filter(owner=actor.pk) if actor.is_authenticated and actor.pk else Job.objects.none()


def job_for(actor: Any, job_id: uuid.UUID) -> Job:
    """One job, or the same 404 for a foreign and for an unknown one."""
    job = jobs_visible_to(actor).filter(pk=job_id).first()
    if job is None:
        raise Problem("not_found")
    return job


def job_filter(jobs: QuerySet[Job], *, status: str = "", kind: str = "") -> QuerySet[Job]:
    """Narrow a list; an empty value narrows nothing."""
    if status:
        jobs = jobs.filter(status=status)
    return jobs.filter(kind=kind) if kind else jobs


def jobs_of_kind(kind: str) -> QuerySet[Job]:
    """Everybody's jobs of one kind, the newest first."""
    return Job.objects.filter(kind=kind)


def job_children(job_id: uuid.UUID) -> QuerySet[Job]:
    """The jobs that a job has made, in their order."""
    return Job.objects.filter(parent_id=job_id).order_by("id")


def job_timeline(job: Job) -> QuerySet[JobEvent]:
    """What happened to a job, in order."""
    return JobEvent.objects.filter(job=job).order_by("seq")


def job_counts() -> dict[str, int]:
    """How many jobs there are in each status, for the operators' page."""
    found = dict(Job.objects.order_by().values_list("status").annotate(count=Count("id")))
    return {status.value: found.get(status.value, 0) for status in Status}


def jobs_recent(limit: int = 20) -> list[Job]:
    """The newest jobs of everybody, for the operators' page."""
    return list(Job.objects.select_related("owner")[:limit])


def workers_seen() -> list[dict[str, Any]]:
    """The workers that hold a lease now, as the leases tell it."""
    held = Job.objects.filter(status=Status.RUNNING, lease_until__gt=Now()).order_by("lease_owner")
    return [dict(row) for row in held.values("lease_owner", "lease_until", "kind", "id")]


def job_latest(actor: Any, kind: str) -> Job | None:
    """The newest job of one kind that somebody started."""
    return jobs_of(actor).filter(kind=kind).first()


def job_is_live(job: Job | None) -> bool:
    """Whether a job still waits or runs."""
    return job is not None and job.status in LIVE


def jobs_settled(days: int) -> QuerySet[Job]:
    """Jobs that succeeded some days ago: these are never run again, while any other may still be retried."""
    return Job.objects.filter(status=Status.SUCCEEDED, finished_at__lt=Now() - timedelta(days=days))


def job_row(job: Job) -> dict[str, object]:
    """The job for templates: its public shape, and what only people read."""
    return {
        **job_public(job),
        "percent": job.percent,
        "can_cancel": not job.is_over,
        "can_retry": job.status in (Status.FAILED, Status.CANCELLED),
        "cancel_url": reverse("job-cancel", args=(job.id,)),
        "retry_url": reverse("job-retry", args=(job.id,)),
    }
