"""What operators do to many jobs at once. Who and why stand in the timeline of each of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from ochaq_shared.problems import Problem

from ochaq_web.core.policy import Act, require
from ochaq_web.jobs import services
from ochaq_web.jobs.finding import Wanted, jobs_wanted
from ochaq_web.jobs.models import Job, Status

AT_ONCE = 1_000


def jobs_stop(*, actor: Any, job_ids: Sequence[uuid.UUID], reason: str) -> int:
    """Cancel these jobs; answers how many were in a state for it."""
    require(actor, Act.JOBS_OPERATE)
    done = 0
    for job_id in job_ids[:AT_ONCE]:
        try:
            services.job_cancel(job_id=job_id, actor=str(actor.pk), reason=reason)
        except Problem as problem:
            if problem.status not in (404, 409):
                raise
            continue
        done += 1
    return done


def jobs_run_again(*, actor: Any, job_ids: Sequence[uuid.UUID], reason: str) -> int:
    """Queue these jobs again; answers how many were in a state for it."""
    require(actor, Act.JOBS_OPERATE)
    return len(services.jobs_redrive(job_ids=job_ids[:AT_ONCE], actor=str(actor.pk), reason=reason))


def group_run_again(*, actor: Any, error: str, period: str, reason: str) -> int:
    """Queue the failed jobs of one group of errors again, the newest `AT_ONCE` of the period; answers how many."""
    if not error:
        raise Problem("request.invalid", "Which group of errors?")  # an empty one would narrow nothing
    failed = jobs_wanted(Job.objects.all(), Wanted(status=Status.FAILED, error=error, period=period))
    ids = failed.order_by("-id").values_list("id", flat=True)[:AT_ONCE]
    return jobs_run_again(actor=actor, job_ids=list(ids), reason=reason)
