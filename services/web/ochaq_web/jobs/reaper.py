"""The loop that makes any crash survivable: it runs every two seconds in web's consume process.

A running job whose lease ran out lost its worker: it is queued again from its checkpoint, or fails when it keeps losing
leases without getting on. A queued job that nobody claims lost its message: its command is sent again.
"""

from __future__ import annotations

import random
from datetime import timedelta
from typing import Any

import structlog
from django.contrib.postgres.functions import TransactionNow
from django.db import connection, transaction

from ochaq_web.jobs.announce import announce, dispatch
from ochaq_web.jobs.models import Job, Status
from ochaq_web.jobs.services import dispatch_next

log = structlog.get_logger(__name__)

BATCH = 100
BACKOFF_SECONDS = 2.0
BACKOFF_MOST_SECONDS = 300.0
REDISPATCH_SECONDS = 15
# After a lost lease the first command may go to the very worker that froze, so the second follows soon.
REDISPATCH_LOST_SECONDS = 3
REDISPATCH_MOST_SECONDS = 240

# A job whose turn has not come within its exclusive group is waiting, not lost.
_UNCLAIMED = f"""
UPDATE job SET dispatched_at = now(), dispatches = dispatches + 1 WHERE id IN (
  SELECT id FROM job WHERE status = 'queued' AND run_after <= clock_timestamp()
    AND (dispatched_at IS NULL OR dispatched_at < now() - interval '1 s' * least(
           CASE WHEN lost_leases > 0 THEN {REDISPATCH_LOST_SECONDS} ELSE {REDISPATCH_SECONDS} END
           * power(2, least(dispatches, 10) - 1), {REDISPATCH_MOST_SECONDS}))
    AND (exclusive = '' OR NOT EXISTS (
      SELECT FROM job AS other WHERE other.exclusive = job.exclusive AND other.id <> job.id
        AND (other.status = 'running' OR other.status = 'queued' AND other.id < job.id)))
  ORDER BY run_after LIMIT {BATCH} FOR NO KEY UPDATE SKIP LOCKED)
RETURNING *
"""  # noqa: S608 - only constants of this module


def job_lease_reap() -> dict[str, int]:
    """One round. Safe to run in many processes: one of them holds the advisory lock, the others do nothing."""
    with transaction.atomic():
        if not _alone():
            return {}
        counts = {"requeued": 0, "failed": 0, "cancelled": 0}
        for job in _expired():
            counts[_recover(job)] += 1
        sent = list(Job.objects.raw(_UNCLAIMED))
        for job in sent:
            dispatch(job)
    counts["dispatched"] = len(sent)
    if any(counts.values()):
        log.info("jobs_reaped", **counts)
    return counts


def _alone() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(hashtextextended('jobs.reaper', 0))")
        return bool(cursor.fetchone()[0])


def _expired() -> list[Job]:
    late = Job.objects.filter(status=Status.RUNNING, lease_until__lt=TransactionNow())
    return list(late.select_for_update(skip_locked=True, no_key=True).order_by("lease_until")[:BATCH])


def _recover(job: Job) -> str:
    worker, job.lease_owner, job.lease_until = job.lease_owner, "", None
    job.version += 1
    job.lost_leases += 1
    if job.cancel_requested_at is not None:
        return _end(job, Status.CANCELLED, None, worker)
    if job.lost_leases >= job.max_attempts:
        detail = f"The worker was lost {job.lost_leases} times without getting on."
        return _end(job, Status.FAILED, {"code": "jobs.worker_lost", "detail": detail}, worker)
    return _requeue(job, worker)


def _end(job: Job, status: Status, error: dict[str, Any] | None, worker: str) -> str:
    job.status, job.error, job.finished_at = status, error, TransactionNow()
    job.save()
    job.refresh_from_db()
    announce(job, status.value, actor="reaper", worker=worker)
    dispatch_next(job.exclusive)
    return status.value


def _requeue(job: Job, worker: str) -> str:
    """The first loss is retried at once, since a worker may simply have been restarted; later ones wait longer."""
    wait = timedelta(seconds=_backoff(job.lost_leases))
    job.status, job.run_after, job.dispatches = Status.QUEUED, TransactionNow() + wait, 0
    job.dispatched_at = None
    job.save()
    job.refresh_from_db()
    announce(job, "lease_lost", actor="reaper", worker=worker, wait_seconds=round(wait.total_seconds(), 3))
    return "requeued"


def _backoff(losses: int) -> float:
    """0 s after the first loss, then 2, 4, 8 … s with jitter, so that many jobs do not come back in step."""
    if losses <= 1:
        return 0.0
    return min(BACKOFF_SECONDS * 2 ** (losses - 2), BACKOFF_MOST_SECONDS) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
