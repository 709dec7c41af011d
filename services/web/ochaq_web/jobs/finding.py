"""Finding jobs among all of them: what the pages' filters mean, and which index serves each.

Every list is ordered by the newest id, and ids are UUIDv7: a period is a bound on the id, so that each index which ends
with it (`job_owner_newest`, `job_kind_newest`, `job_status_newest`, `job_error_group`) serves the period too.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from django.db.models import Q, QuerySet

from ochaq_web.jobs.models import Job, JobEvent
from ochaq_web.jobs.statistics import PERIODS, first_id

WORKER_RUNS = 1_000  # the newest runs of a worker that its list shows


@dataclass(frozen=True)
class Wanted:
    """A list of jobs as somebody asks for it; an empty value narrows nothing."""

    status: str = ""
    kind: str = ""
    owner: Any = None
    worker: str = ""
    period: str = ""
    error: str = ""
    text: str = ""

    @property
    def narrows(self) -> bool:
        return self != Wanted()


def jobs_wanted(jobs: QuerySet[Job], wanted: Wanted) -> QuerySet[Job]:
    """The jobs among `jobs` that match. A text is a job's id or the id of the request that started it."""
    exact = {"status": wanted.status, "kind": wanted.kind, "owner": wanted.owner, "error_key": wanted.error}
    jobs = jobs.filter(**{name: value for name, value in exact.items() if value})
    if wanted.period in PERIODS:
        jobs = jobs.filter(id__gte=first_id(PERIODS[wanted.period].start))
    if wanted.worker:
        jobs = jobs.filter(_run_by(wanted.worker))
    return jobs.filter(_named(wanted.text)) if wanted.text else jobs


def _run_by(worker: str) -> Q:
    """Jobs a worker holds or held: its newest claims, by `job_event_claimed_by`."""
    claims = JobEvent.objects.filter(kind="claimed", actor=worker).order_by("-id")
    return Q(id__in=list(claims.values_list("job_id", flat=True)[:WORKER_RUNS]))


def _named(text: str) -> Q:
    """By the primary key and by `job_trace`. A request's id may look like a UUID too, so both are asked."""
    named = Q(trace=text)
    try:
        return named | Q(id=uuid.UUID(text))
    except ValueError:
        return named
