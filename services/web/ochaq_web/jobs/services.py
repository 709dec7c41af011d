"""What can be done to a job. Each change of state is one conditional UPDATE, told in the same transaction.

The states: queued → running → succeeded | failed | cancelled; a lost lease or a retry leads back to queued. PostgreSQL
decides every race: whoever's UPDATE finds the row in the state it asks for has won, everybody else gets a 409.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from django.db.models.functions import Now
from ochaq_shared.problems import Problem
from ochaq_shared.telemetry import current_request_id
from psycopg.types.json import Jsonb

from ochaq_web.jobs import problems
from ochaq_web.jobs.announce import announce, dispatch
from ochaq_web.jobs.kinds import kind_named, params_of
from ochaq_web.jobs.models import Job, Status

LEASE_SECONDS = 9
PROGRESS_EVERY_MS = 240  # at most four ticks a second, whatever a worker sends

_FREE_LEASE = "lease_owner = '', lease_until = NULL"

_CLAIM = f"""
UPDATE job SET status = 'running', attempt = attempt + 1, fence = fence + 1, version = version + 1,
  lease_owner = %(worker)s, lease_until = now() + interval '{LEASE_SECONDS} s', started_at = coalesce(started_at, now())
WHERE id = %(id)s AND cancel_requested_at IS NULL
  AND (status = 'queued' AND run_after <= clock_timestamp() OR status = 'running' AND lease_until < now())
  AND (exclusive = '' OR NOT EXISTS (
    SELECT FROM job AS other WHERE other.exclusive = job.exclusive AND other.id <> job.id
      AND (other.status = 'running' OR other.status = 'queued' AND other.id < job.id)))
RETURNING *
"""  # noqa: S608 - only constants of this module

_HEARTBEAT = f"""
UPDATE job SET lease_until = now() + interval '{LEASE_SECONDS} s',
  progress_done = greatest(progress_done, coalesce(%(done)s, 0)),
  progress_total = coalesce(%(total)s, progress_total),
  progress_told_at = CASE WHEN %(tell)s AND coalesce(progress_told_at < now() - interval '{PROGRESS_EVERY_MS} ms', true)
    THEN now() ELSE progress_told_at END,
  lost_leases = CASE WHEN %(checkpoint)s::jsonb IS DISTINCT FROM checkpoint AND %(checkpoint)s::jsonb IS NOT NULL
    THEN 0 ELSE lost_leases END,
  checkpoint = coalesce(%(checkpoint)s::jsonb, checkpoint)
WHERE id = %(id)s AND fence = %(fence)s AND status = 'running'
RETURNING *, progress_told_at IS NOT DISTINCT FROM now() AS tell
"""  # noqa: S608

_FINISH = f"""
UPDATE job SET status = %(status)s, version = version + 1, finished_at = now(), result = %(result)s, error = %(error)s,
  progress_done = CASE WHEN %(status)s = 'succeeded' THEN greatest(progress_done, progress_total)
    ELSE progress_done END,
  {_FREE_LEASE}
WHERE id = %(id)s AND fence = %(fence)s AND status = 'running'
RETURNING *
"""  # noqa: S608

_CANCEL = """
UPDATE job SET version = version + 1,
  cancel_requested_at = coalesce(cancel_requested_at, now()), cancelled_by = %(actor)s,
  finished_at = CASE WHEN status = 'queued' THEN now() END,
  status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END
WHERE id = %(id)s AND status IN ('queued', 'running')
RETURNING *
"""

_RETRY = """
UPDATE job SET status = 'queued', version = version + 1, cancel_requested_at = NULL, cancelled_by = '', result = NULL,
  error = NULL, finished_at = NULL, run_after = now(), lost_leases = 0, dispatched_at = now(), dispatches = 1
WHERE id = %(id)s AND status IN ('failed', 'cancelled')
RETURNING *
"""

_NEXT_OF_GROUP = """
UPDATE job SET dispatched_at = now(), dispatches = dispatches + 1 WHERE id = (
  SELECT id FROM job WHERE exclusive = %(group)s AND status = 'queued' AND run_after <= clock_timestamp()
  ORDER BY id LIMIT 1)
RETURNING *
"""


def job_enqueue(*, kind: str, params: object, owner: Any, dedupe_key: str | None = None) -> Job:
    """Make a job and send its command. With a `dedupe_key` in use the job that holds it is the answer."""
    row = kind_named(kind)
    checked = params_of(row, params)
    with transaction.atomic():
        if dedupe_key is not None:
            _lock(f"dedupe:{dedupe_key}")
            if (known := Job.objects.filter(dedupe_key=dedupe_key).first()) is not None:
                return known
        job = Job(
            kind=row.name,
            queue=row.queue,
            exclusive=row.exclusive,
            params=checked.model_dump(),
            owner=owner,
            dedupe_key=dedupe_key,
            version=1,
            progress_total=checked.total(),
            dispatched_at=Now(),
            dispatches=1,
            trace=current_request_id(),
        )
        job.save(force_insert=True)
        # The database fills in the times, so that every comparison with them is made by one clock.
        job.refresh_from_db()
        announce(job, "queued", actor=str(job.owner_id or ""))
        dispatch(job)
    return job


def job_claim(*, job_id: uuid.UUID, worker: str) -> Job:
    """Give the job to a worker for one lease. 409 when it is over, cancelled, taken, or not yet its turn."""
    with transaction.atomic():
        _lock_group(job_id)
        job = _one(_CLAIM, {"id": job_id, "worker": worker})
        if job is None:
            _require_known(job_id)
            raise Problem(problems.NOT_CLAIMABLE)
        announce(job, "claimed", actor=worker, fence=job.fence, attempt=job.attempt)
    return job


def job_heartbeat(
    *,
    job_id: uuid.UUID,
    fence: int,
    progress: Mapping[str, int] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> tuple[Job, bool]:
    """Extend the lease and keep progress and checkpoint. Answers the job, and whether to tell its progress now."""
    values = {
        "id": job_id,
        "fence": fence,
        "done": progress["done"] if progress else None,
        "total": progress["total"] if progress else None,
        "tell": progress is not None,
        "checkpoint": None if checkpoint is None else Jsonb(dict(checkpoint)),
    }
    job = _one(_HEARTBEAT, values)
    if job is None:
        _require_known(job_id)
        raise Problem(problems.STALE_FENCE)
    return job, bool(progress is not None and job.tell)  # type: ignore[attr-defined]


def job_finish(
    *,
    job_id: uuid.UUID,
    fence: int,
    status: str,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
) -> Job:
    """End the run of the worker that holds `fence`. The same finish again is answered again."""
    values = {
        "id": job_id,
        "fence": fence,
        "status": status,
        "result": None if result is None else Jsonb(dict(result)),
        "error": None if error is None else Jsonb(dict(error)),
    }
    with transaction.atomic():
        job = _one(_FINISH, values)
        if job is None:
            return _finished_before(job_id, fence, status)
        announce(job, status, actor="worker", fence=fence)
        dispatch_next(job.exclusive)
    return job


def job_hold(*, job_id: uuid.UUID, fence: int) -> Job:
    """Lock the running job for the rest of the transaction, so that its writes stand or fall with the fence."""
    job = _one(
        "SELECT * FROM job WHERE id = %(id)s AND fence = %(fence)s AND status = 'running' FOR NO KEY UPDATE",
        {"id": job_id, "fence": fence},
    )
    if job is None:
        _require_known(job_id)
        raise Problem(problems.STALE_FENCE)
    return job


def job_cancel(*, job_id: uuid.UUID, actor: str) -> Job:
    """Cancel a queued job at once; ask the worker of a running one to stop. 409 when the job is over."""
    with transaction.atomic():
        job = _one(_CANCEL, {"id": job_id, "actor": actor})
        if job is None:
            _require_known(job_id)
            raise Problem(problems.OVER)
        announce(job, "cancelled" if job.status == Status.CANCELLED else "cancel_requested", actor=actor)
        if job.is_over:
            dispatch_next(job.exclusive)
    return job


def job_retry(*, job_id: uuid.UUID, actor: str) -> Job:
    """Queue a failed or cancelled job again; it goes on from its checkpoint. 409 in any other state."""
    with transaction.atomic():
        job = _one(_RETRY, {"id": job_id, "actor": actor})
        if job is None:
            _require_known(job_id)
            raise Problem(problems.NOT_RETRYABLE)
        announce(job, "retried", actor=actor)
        dispatch(job)
    return job


def dispatch_next(group: str) -> None:
    """The turn of an exclusive group goes on: its oldest waiting job was refused at the claim until now."""
    if group and (waiting := _one(_NEXT_OF_GROUP, {"group": group})) is not None:
        dispatch(waiting)


def _finished_before(job_id: uuid.UUID, fence: int, status: str) -> Job:
    job = _require_known(job_id)
    if job.fence == fence and job.status == status:
        return job
    raise Problem(problems.STALE_FENCE)


def _require_known(job_id: uuid.UUID) -> Job:
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise Problem("not_found")
    return job


def _lock_group(job_id: uuid.UUID) -> None:
    """Claims within one exclusive group pass one by one; two at once would both see the group free."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('job:' || exclusive, 0))"
            " FROM job WHERE id = %s AND exclusive <> ''",
            (job_id,),
        )


def _lock(name: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", (name,))


def _one(sql: str, params: Mapping[str, Any]) -> Job | None:
    """The one row that a statement with RETURNING changed, or None when its condition did not hold."""
    return next(iter(Job.objects.raw(sql, dict(params))), None)
