"""The worker's side of a job: claim it, keep it, end it. Every call but the first names the fence of the claim."""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from django.db import connection, transaction
from ochaq_shared.problems import Problem

from ochaq_web.jobs import problems
from ochaq_web.jobs.models import Job, Status
from ochaq_web.jobs.services.ending import FINISH, FINISH_ALONE, after_end, end_many, end_values, job_end
from ochaq_web.jobs.services.waiting import back_to_queue, lose_worker
from ochaq_web.jobs.transitions import (
    COLUMNS,
    change,
    change_many,
    json_or_null,
    run,
    statement,
    statement_of_many,
)

LEASE_SECONDS = 9
CANCEL_GRACE_SECONDS = 4
PROGRESS_EVERY_MS = 240  # at most four ticks a second, whatever a worker sends
TRANSIENT_SECONDS = 1.0
TRANSIENT_MOST_SECONDS = 300.0

# When an older job of the same group waits or runs, it is not this one's turn.
_ITS_TURN = """
(exclusive = '' OR NOT EXISTS (
  SELECT FROM job AS other WHERE other.exclusive = job.exclusive AND other.id <> job.id
    AND (other.status = 'running' OR other.status = 'queued' AND other.id < job.id)))
"""
_CHILDREN = """
(SELECT jsonb_agg(jsonb_build_object('id', child.id, 'kind', child.kind, 'status', child.status,
    'result', child.result, 'error', child.error) ORDER BY child.id)
  FROM job AS child WHERE child.parent_id = changed.id)::text AS children_now
"""
_CHILDREN_NOW = ("children_now",)


_TAKEN = f"""
UPDATE job SET status = 'running', attempt = attempt + 1, fence = fence + 1, version = version + 1,
  lost_leases = lost_leases + (status = 'running')::int, claimed_at = now(), started_at = coalesce(started_at, now()),
  lease_owner = %(worker)s, lease_until = now() + interval '{LEASE_SECONDS} s'
"""  # noqa: S608 - only constants of this module, here and below
_FREE = """
cancel_requested_at IS NULL AND pending_children = 0
  AND (status = 'queued' AND run_after <= clock_timestamp() OR status = 'running' AND lease_until < now())
"""
_TOLD = {
    "event": "'claimed'",
    "actor": "lease_owner",
    "data": "jsonb_build_object('worker', lease_owner, 'attempt', attempt, 'fence', fence,"
    " 'wait_seconds', greatest(round(extract(epoch FROM clock_timestamp() - run_after), 3), 0))",
    "more": _CHILDREN,
}

_CLAIM_ALONE = statement(f"{_TAKEN} WHERE id = %(id)s AND {_FREE} AND exclusive = ''", **_TOLD)
_CLAIM_IN_TURN = statement(f"{_TAKEN} WHERE id = %(id)s AND {_FREE} AND {_ITS_TURN}", **_TOLD)
_CLAIM_MANY = statement_of_many(f"{_TAKEN} FROM given WHERE job.id = given.id AND {_FREE} AND exclusive = ''", **_TOLD)

_HEARTBEAT = f"""
WITH changed AS (
  UPDATE job SET lease_until = now() + interval '{LEASE_SECONDS} s',
    progress_done = greatest(progress_done, coalesce(%(done)s::bigint, 0)),
    progress_total = coalesce(%(total)s::bigint, progress_total),
    progress_told_at = CASE
      WHEN %(tell)s AND coalesce(progress_told_at < now() - interval '{PROGRESS_EVERY_MS} ms', true)
      THEN now() ELSE progress_told_at END,
    lost_leases = CASE WHEN %(checkpoint)s::jsonb IS DISTINCT FROM checkpoint AND %(checkpoint)s::jsonb IS NOT NULL
      THEN 0 ELSE lost_leases END,
    checkpoint = coalesce(%(checkpoint)s::jsonb, checkpoint)
  WHERE id = %(id)s AND fence = %(fence)s AND status = 'running'
  RETURNING *)
SELECT {COLUMNS}, progress_told_at IS NOT DISTINCT FROM now() AS tell FROM changed
"""  # noqa: S608


def job_claim(*, job_id: uuid.UUID, worker: str) -> Job:
    """Give the job to a worker for one lease; its `children_now` is the JSON of its children and how they ended.

    409 when it is over, cancelled, taken, waiting, or not yet its turn.
    """
    job = change(_CLAIM_ALONE, job_id, {"worker": worker}, _CHILDREN_NOW) or _claim_in_turn(job_id, worker)
    if job is None:
        require_known(job_id)
        raise Problem(problems.NOT_CLAIMABLE)
    return job


def jobs_claim(*, job_ids: Sequence[uuid.UUID], worker: str) -> tuple[list[Job], list[uuid.UUID]]:
    """As `job_claim` for each, but in one statement; answers those given, in the order asked for, and those refused."""
    taken = {
        job.id: job
        for job in change_many(_CLAIM_MANY, [{"id": each} for each in job_ids], {"worker": worker}, _CHILDREN_NOW)
    }
    for job_id in dict.fromkeys(job_ids):
        if job_id not in taken and (job := _claim_in_turn(job_id, worker)) is not None:
            taken[job_id] = job
    return [taken[each] for each in job_ids if each in taken], [each for each in job_ids if each not in taken]


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
        "checkpoint": json_or_null(checkpoint),
    }
    job = run(_HEARTBEAT, values, ("tell",))
    if job is None:
        require_known(job_id)
        raise Problem(problems.STALE_FENCE)
    return job, bool(progress is not None and job.tell)  # type: ignore[attr-defined]


def job_finish(
    *,
    job_id: uuid.UUID,
    fence: int,
    status: Literal["succeeded", "failed", "cancelled", "waiting"] | str,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
) -> Job:
    """End the run of the worker that holds `fence`. The same finish again is answered again.

    `waiting` puts a parent aside until its children are over. `failed` with an error of `"retry": "transient"` is tried
    again later, after `after_seconds` if the error says so, until `max_attempts` such failures; any other ends the job.
    """
    if _goes_on({"status": status, "error": error}):
        return _not_over(job_id, fence, status, dict(error or {}), checkpoint)
    values = end_values(fence, status, result=result, error=error, checkpoint=checkpoint)
    job = change(FINISH_ALONE, job_id, values)
    if job is None:
        with transaction.atomic():
            job = change(FINISH, job_id, values)
            if job is None:
                return _finished_before(job_id, fence, status)
            after_end(job)
    return job


def jobs_finish(*, runs: Sequence[Mapping[str, Any]]) -> list[tuple[uuid.UUID, str]]:
    """As `job_finish` for each of `runs`, which are its keyword arguments, but where that can be in one statement.

    Answers each id with the job's status, or with the code of the problem that `job_finish` would raise.
    """
    with transaction.atomic():
        ended = {job.id: str(job.status) for job in end_many([run for run in runs if not _goes_on(run)])}
    return [(run["job_id"], ended.get(run["job_id"]) or _finish_alone(run)) for run in runs]


def job_hold(*, job_id: uuid.UUID, fence: int) -> Job:
    """Lock the running job for the rest of the transaction, so that its writes stand or fall with the fence."""
    job = _held(job_id, fence)
    if job is None:
        require_known(job_id)
        raise Problem(problems.STALE_FENCE)
    return job


def job_release(*, job_id: uuid.UUID, worker: str, lost: bool) -> Job:
    """Take the job back from a worker that goes (a deploy) or whose process died, without waiting for its lease.

    Called by the process above the one that held the lease, which knows its name but not the fence.
    """
    with transaction.atomic():
        held = Job.objects.filter(pk=job_id, lease_owner=worker, status=Status.RUNNING)
        job = held.select_for_update(no_key=True).first()
        if job is None:
            require_known(job_id)
            raise Problem(problems.STALE_FENCE)
        if lost or job.cancel_requested_at is not None:
            return lose_worker(job, actor="worker")
        return back_to_queue(job, "released", actor="worker")


def require_known(job_id: uuid.UUID) -> Job:
    """The job, or a 404."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise Problem("not_found")
    return job


def _goes_on(run: Mapping[str, Any]) -> bool:
    """Whether the run ends without an end of the job."""
    if run["status"] == "waiting":
        return True
    return bool(run["status"] == Status.FAILED and (run.get("error") or {}).get("retry") == "transient")


def _finish_alone(run: Mapping[str, Any]) -> str:
    try:
        return str(job_finish(**run).status)
    except Problem as problem:
        return problem.code


def _claim_in_turn(job_id: uuid.UUID, worker: str) -> Job | None:
    with transaction.atomic():
        # Claims within one exclusive group pass one by one; two at once would both see the group free.
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended('job:' || exclusive, 0))"
                " FROM job WHERE id = %s AND exclusive <> ''",
                (job_id,),
            )
            if not cursor.rowcount:
                return None
        return change(_CLAIM_IN_TURN, job_id, {"worker": worker}, _CHILDREN_NOW)


def _not_over(
    job_id: uuid.UUID, fence: int, status: str, error: dict[str, Any], checkpoint: Mapping[str, Any] | None
) -> Job:
    """The run is over, the job is not: it waits for its children, or for another try."""
    with transaction.atomic():
        job = _held(job_id, fence)
        if job is None:
            return _left_before(job_id, fence)
        if checkpoint is not None:
            job.checkpoint = dict(checkpoint)
        if job.cancel_requested_at is not None:
            return job_end(job, Status.CANCELLED, checkpoint=job.checkpoint)
        if status == "waiting":
            return back_to_queue(job, "waiting", actor="worker", pending_children=job.pending_children)
        return _try_again(job, error)


def _try_again(job: Job, error: dict[str, Any]) -> Job:
    """After a transient failure: later, or never when it was one too many since the job last got on."""
    got_on = job.checkpoint is not None and job.checkpoint != job.failed_checkpoint
    job.failures = 1 if got_on else job.failures + 1
    job.failed_checkpoint = job.checkpoint
    if job.failures >= job.max_attempts:
        error = {**error, "retry": "exhausted"}
        return job_end(job, Status.FAILED, error=error, checkpoint=job.checkpoint, failures=job.failures)
    return back_to_queue(job, "failed_transiently", actor="worker", wait=_wait(job, error), error=error)


def _wait(job: Job, error: Mapping[str, Any]) -> float:
    """What the error asks for, or 1, 2, 4 … s; never in step with others that failed at the same moment."""
    asked = error.get("after_seconds")
    wait = (
        float(asked) if asked is not None else min(TRANSIENT_SECONDS * 2 ** (job.failures - 1), TRANSIENT_MOST_SECONDS)
    )
    jitter = random.uniform(1.0, 1.2) if asked is not None else random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return wait * jitter


def _held(job_id: uuid.UUID, fence: int) -> Job | None:
    held = Job.objects.filter(pk=job_id, fence=fence, status=Status.RUNNING)
    return held.select_for_update(no_key=True).first()


def _finished_before(job_id: uuid.UUID, fence: int, status: str) -> Job:
    job = require_known(job_id)
    if job.fence == fence and job.status == status:
        return job
    raise Problem(problems.STALE_FENCE)


def _left_before(job_id: uuid.UUID, fence: int) -> Job:
    """The run is over already, as this call wants it: its answer was lost, or the lease was."""
    job = require_known(job_id)
    if job.fence == fence:
        return job
    raise Problem(problems.STALE_FENCE)
