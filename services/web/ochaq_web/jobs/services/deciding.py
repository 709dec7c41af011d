"""What people decide about jobs: stop them, run them again, one or many. Each names who, and may say why."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import transaction
from ochaq_shared.problems import Problem

from ochaq_web.jobs import problems
from ochaq_web.jobs.announce import dispatch
from ochaq_web.jobs.models import Job, Status
from ochaq_web.jobs.services.ending import cancel
from ochaq_web.jobs.services.running import require_known
from ochaq_web.jobs.transitions import change, statement

MOST_REDRIVEN = 1_000

# A child counts for its parent again only where that parent is still at work.
_RETRY = statement(
    """
UPDATE job SET status = 'queued', version = version + 1, cancel_requested_at = NULL, cancelled_by = '', result = NULL,
  error = NULL, error_key = '', finished_at = NULL, run_after = now(), lost_leases = 0, failures = 0,
  failed_checkpoint = NULL, dispatched_at = CASE WHEN pending_children = 0 THEN now() END,
  dispatches = CASE WHEN pending_children = 0 THEN 1 ELSE 0 END
WHERE id = %(id)s AND status IN ('failed', 'cancelled')
""",
    "%(event)s::text",
    data="jsonb_build_object('reason', nullif(%(reason)s::text, ''))",
)


def job_cancel(*, job_id: uuid.UUID, actor: str, reason: str = "") -> Job:
    """Cancel a queued job at once; ask the worker of a running one to stop, which the reaper enforces after
    `CANCEL_GRACE_SECONDS`. Its children are cancelled too. 409 when the job is over."""
    job = cancel(job_id, actor=actor, reason=reason)
    if job is None:
        require_known(job_id)
        raise Problem(problems.OVER)
    return job


def job_retry(*, job_id: uuid.UUID, actor: str, reason: str = "") -> Job:
    """Queue a failed or cancelled job again; it goes on from its checkpoint. 409 in any other state."""
    with transaction.atomic():
        job = _again(job_id, "retried", actor, reason)
    if job is None:
        require_known(job_id)
        raise Problem(problems.NOT_RETRYABLE)
    return job


def jobs_redrive(*, job_ids: Sequence[uuid.UUID], actor: str, reason: str) -> list[uuid.UUID]:
    """Queue many failed or cancelled jobs again, at most `MOST_REDRIVEN`; answers those that were in such a state.

    Each in its own transaction, as if somebody pressed the button that often, and with its line in its timeline.
    """
    if len(job_ids) > MOST_REDRIVEN:
        raise Problem("request.invalid", f"At most {MOST_REDRIVEN} jobs at once.")
    done = []
    for job_id in dict.fromkeys(job_ids):
        with transaction.atomic():
            job = _again(job_id, "redriven", actor, reason)
        if job is not None:
            done.append(job.id)
    return done


def _again(job_id: uuid.UUID, event: str, actor: str, reason: str) -> Job | None:
    job = change(_RETRY, job_id, {"event": event, "actor": actor, "reason": reason})
    if job is None:
        return None
    if job.parent_id is not None:
        _await_again(job)
    if not job.pending_children:
        dispatch(job)
    return job


def _await_again(job: Job) -> None:
    """Have a parent that is still at work wait for this child again."""
    if job.awaited or job.parent_id is None:
        return
    parent = Job.objects.filter(pk=job.parent_id, cancel_requested_at=None)
    live = parent.filter(status__in=(Status.QUEUED, Status.RUNNING)).select_for_update(no_key=True).first()
    if live is None:
        return
    Job.objects.filter(pk=job.pk).update(awaited=True)
    Job.objects.filter(pk=live.pk).update(pending_children=live.pending_children + 1)
