"""The loop that makes any crash survivable: it runs every second in web's consume process.

It ends running jobs that were to be cancelled and did not stop, or are past their deadline; takes back those whose
lease ran out, because their worker is gone; cancels children whose parent no longer waits. (Commands that are due, and
commands that were lost, are the business of `sending`.) Each job is changed in a transaction of its own and found
without waiting for anybody, so that any number of reapers may run at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import structlog
from django.db import transaction
from django.db.models import DateTimeField, DurationField, ExpressionWrapper, F, Q, QuerySet, Value
from django.db.models.functions import Now

from ochaq_web.jobs.live import tell_cancel
from ochaq_web.jobs.models import LIVE, Job, Status
from ochaq_web.jobs.sending import send_due, send_lost_again
from ochaq_web.jobs.services import CANCEL_GRACE_SECONDS, job_cancel
from ochaq_web.jobs.services.ending import job_end
from ochaq_web.jobs.services.waiting import lose_worker

log = structlog.get_logger(__name__)

BATCH = 200

_RUNNING = Job.objects.filter(status=Status.RUNNING)
_LASTED = ExpressionWrapper(F("deadline_seconds") * Value(timedelta(seconds=1)), output_field=DurationField())
_DEADLINE = ExpressionWrapper(F("claimed_at") + _LASTED, output_field=DateTimeField())
_NOT_AWAITED = Q(parent__cancel_requested_at__isnull=False) | Q(parent__status__in=(Status.FAILED, Status.CANCELLED))


def job_lease_reap() -> dict[str, int]:
    """One round; answers how many jobs met which fate."""
    counts = {"requeued": 0, "failed": 0, "cancelled": 0, "orphans": 0}
    _each(_unwilling(), _cancel, counts)
    _each(_overtime(), _fail, counts)
    _each(_abandoned(), _take_back, counts)
    for child in _orphans():
        job_cancel(job_id=child, actor="reaper")
        counts["orphans"] += 1
    counts["dispatched"] = send_due() + send_lost_again()
    if any(counts.values()):
        log.info("jobs_reaped", **counts)
    return counts


def _unwilling() -> QuerySet[Job]:
    """Asked to stop, and still running: its worker is frozen, or does not listen."""
    return _RUNNING.filter(cancel_requested_at__lt=Now() - timedelta(seconds=CANCEL_GRACE_SECONDS))


def _overtime() -> QuerySet[Job]:
    return _RUNNING.annotate(deadline=_DEADLINE).filter(deadline__lt=Now())


def _abandoned() -> QuerySet[Job]:
    return _RUNNING.filter(lease_until__lt=Now())


def _orphans() -> list[uuid.UUID]:
    """Children still at work whose parent was cancelled or failed: a cancel that was cut short, or came too early."""
    waiting = Job.objects.filter(_NOT_AWAITED, awaited=True, status__in=LIVE, cancel_requested_at=None)
    return list(waiting.order_by("id").values_list("pk", flat=True)[:BATCH])


def _each(found: QuerySet[Job], act: Callable[[Job], str], counts: dict[str, int]) -> None:
    for job_id in list(found.order_by("lease_until").values_list("pk", flat=True)[:BATCH]):
        with transaction.atomic():
            # Looked at again under its lock: meanwhile it may have ended, or have been given another lease.
            held = found.filter(pk=job_id).select_for_update(skip_locked=True, no_key=True, of=("self",)).first()
            if held is not None:
                counts[act(held)] += 1


def _cancel(job: Job) -> str:
    job_end(job, Status.CANCELLED, actor="reaper")
    return "cancelled"


def _fail(job: Job) -> str:
    error = {
        "code": "jobs.deadline",
        "detail": f"The run lasted longer than the {job.deadline_seconds} seconds it may.",
    }
    job_end(job, Status.FAILED, error=error, actor="reaper")
    # Its worker would learn it at its next heartbeat; this way it stops now.
    transaction.on_commit(partial(tell_cancel, job.id), robust=True)
    return "failed"


def _take_back(job: Job) -> str:
    after = lose_worker(job, actor="reaper").status
    return "requeued" if after == Status.QUEUED else str(after)
