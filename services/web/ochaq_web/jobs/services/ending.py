"""The end of a job, and who has to hear of it: its parent, its children, the next of its group, its worker."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from django.db import transaction

from ochaq_web.jobs.announce import dispatch
from ochaq_web.jobs.errors import error_kept, error_words
from ochaq_web.jobs.live import tell_cancel
from ochaq_web.jobs.models import LIVE, Job, Status
from ochaq_web.jobs.transitions import (
    COLUMNS,
    change,
    change_many,
    json_or_null,
    run,
    statement,
    statement_of_many,
)

CHILDREN_AT_ONCE = 200

RUN_FACTS = (
    "'worker', lease_owner, 'attempt', attempt, 'fence', fence,"
    " 'run_seconds', round(extract(epoch FROM clock_timestamp() - claimed_at), 3)"
)


# How a run ended comes as parameters for one job, and as columns of `given` for many.
_ENDED = """
UPDATE job SET status = {status}, version = job.version + 1, finished_at = now(), lease_until = NULL,
  result = {result}, error = {error}, checkpoint = coalesce({checkpoint}, job.checkpoint),
  error_key = CASE WHEN {error} IS NULL THEN ''
    ELSE left(encode(sha256(convert_to(job.kind || '|' || {error_words}, 'UTF8')), 'hex'), 16) END,
  progress_done = CASE WHEN {status} = 'succeeded' THEN greatest(job.progress_done, job.progress_total)
    ELSE job.progress_done END
"""
_GIVEN_TYPES = {
    "status": "text",
    "result": "jsonb",
    "error": "jsonb",
    "error_words": "text",
    "checkpoint": "jsonb",
}
_RUN_TOLD = {"event": "status", "data": f"jsonb_build_object({RUN_FACTS}, 'error', error)"}


def _finish(condition: str) -> str:
    ended = _ENDED.format(**{name: f"%({name})s::{kind}" for name, kind in _GIVEN_TYPES.items()})
    return statement(
        f"""
{ended}, failures = coalesce(%(failures)s::int, failures), lost_leases = coalesce(%(lost_leases)s::int, lost_leases)
WHERE id = %(id)s AND fence = %(fence)s AND status = 'running' AND {condition}
""",
        **_RUN_TOLD,
    )


# A job that nobody waits for ends in one statement; where somebody has to be told it takes a transaction.
FINISH_ALONE = _finish("exclusive = '' AND NOT awaited AND pending_children = 0")
FINISH = _finish("true")

# Runs that nobody but a parent waits for. Each parent counts all of its children in the statement of their ends; while
# a job runs, only its end changes `awaited`, so the row as it was before says whether it still counts.
_FINISH_MANY = statement_of_many(
    f"""
{_ENDED.format(**{name: f"given.ended_{name}" for name in _GIVEN_TYPES})}, awaited = false
FROM given JOIN job AS before ON before.id = given.id
WHERE job.id = given.id AND job.fence = given.fence AND job.status = 'running' AND job.exclusive = ''
  AND job.pending_children = 0
""",
    columns=", ".join(["fence bigint", *(f"ended_{name} {kind}" for name, kind in _GIVEN_TYPES.items())]),
    returning="before.awaited AS was_awaited",
    then="""
counted AS (
  UPDATE job SET pending_children = pending_children - ended.many
  FROM (SELECT parent_id, count(*) AS many FROM changed WHERE was_awaited GROUP BY parent_id) AS ended
  WHERE job.id = ended.parent_id RETURNING job.id, job.pending_children, job.status)""",
    more="EXISTS (SELECT FROM counted WHERE counted.id = changed.parent_id AND counted.pending_children = 0"
    " AND counted.status = 'queued') AS parent_ready",
    **_RUN_TOLD,
)

_CANCEL = statement(
    """
UPDATE job SET version = version + 1, cancelled_by = left(%(actor)s::text, 64),
  cancel_requested_at = coalesce(cancel_requested_at, now()),
  finished_at = CASE WHEN status = 'queued' THEN now() END,
  status = CASE WHEN status = 'queued' THEN 'cancelled' ELSE status END
WHERE id = %(id)s AND status IN ('queued', 'running')
""",
    "CASE WHEN status = 'cancelled' THEN 'cancelled' ELSE 'cancel_requested' END",
    data="jsonb_build_object('reason', nullif(%(reason)s::text, ''))",
)

_CHILD_OVER = f"""
WITH child AS (UPDATE job SET awaited = false WHERE id = %(id)s AND awaited RETURNING parent_id),
changed AS (
  UPDATE job SET pending_children = pending_children - 1 FROM child WHERE job.id = child.parent_id RETURNING job.*)
SELECT {COLUMNS} FROM changed
"""  # noqa: S608 - only constants of this module

_CHILDREN_OVER = statement(
    """
UPDATE job SET version = version + 1, run_after = now(), dispatched_at = now(), dispatches = 1
WHERE id = %(id)s AND status = 'queued' AND pending_children = 0
""",
    "'children_over'",
)

_NEXT_OF_GROUP = f"""
WITH changed AS (
  UPDATE job SET dispatched_at = now(), dispatches = dispatches + 1 WHERE id = (
    SELECT id FROM job WHERE exclusive = %(group)s AND status = 'queued' ORDER BY id LIMIT 1
    FOR NO KEY UPDATE SKIP LOCKED)
  AND run_after <= clock_timestamp() AND pending_children = 0
  RETURNING *)
SELECT {COLUMNS} FROM changed
"""  # noqa: S608


def end_values(
    fence: int,
    status: str,
    *,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    checkpoint: Mapping[str, Any] | None = None,
    failures: int | None = None,
    lost_leases: int | None = None,
    actor: str = "worker",
) -> dict[str, Any]:
    """The parameters of `FINISH`."""
    return {
        "fence": fence,
        "status": str(status),
        "result": json_or_null(result),
        "error": json_or_null(error_kept(error)),
        "error_words": error_words(error),
        "checkpoint": json_or_null(checkpoint),
        "failures": failures,
        "lost_leases": lost_leases,
        "actor": actor,
    }


def job_end(job: Job, status: Status, **values: Any) -> Job:
    """End a running job whose row the transaction holds; `values` as `end_values` takes them."""
    ended = change(FINISH, job.id, end_values(job.fence, status, **values))
    assert ended is not None  # the row is held
    after_end(ended)
    return ended


def end_many(runs: Sequence[Mapping[str, Any]]) -> list[Job]:
    """End these runs as `job_finish` takes them, in the caller's transaction; answers the jobs of those that could be.

    Left out are jobs whose end concerns others than a parent, and those that are over or have another fence.
    """
    given = [
        {"id": run["job_id"], **{f"ended_{name}": value for name, value in _ending(run).items()}, "fence": run["fence"]}
        for run in runs
    ]
    ended = change_many(_FINISH_MANY, given, {"actor": "worker"}, ("parent_ready",)) if given else []
    ready = {job.parent_id for job in ended if job.parent_id and job.parent_ready}  # type: ignore[attr-defined]
    for parent_id in ready:
        _back_to_work(parent_id)
    return ended


def after_end(job: Job) -> None:
    """Tell everybody who waited, in the transaction of the end."""
    if job.awaited:
        _tell_parent(job)
    if job.pending_children and job.status != Status.SUCCEEDED:
        children_cancel(job.id)
    dispatch_next(job.exclusive)


def cancel(job_id: uuid.UUID, *, actor: str, reason: str) -> Job | None:
    """Cancel a queued job at once and ask a running one to stop, its children too. None when the job is over."""
    with transaction.atomic():
        job = change(_CANCEL, job_id, {"actor": actor, "reason": reason})
        if job is None:
            return None
        if job.status == Status.CANCELLED:
            after_end(job)
        else:
            transaction.on_commit(partial(tell_cancel, job.id), robust=True)
            children_cancel(job.id)
    return job


def children_cancel(parent_id: uuid.UUID) -> int:
    """Cancel the children that a cancelled or failed parent still waits for; answers how many.

    One that somebody else is just changing is left to the reaper: a parent's transaction must not wait for a child's.
    """
    waiting = Job.objects.filter(parent_id=parent_id, awaited=True, status__in=LIVE, cancel_requested_at=None)
    held = waiting.order_by("id").select_for_update(skip_locked=True, no_key=True)
    children = list(held.values_list("pk", flat=True)[:CHILDREN_AT_ONCE])
    for child in children:
        cancel(child, actor="parent", reason="")
    return len(children)


def dispatch_next(group: str) -> None:
    """The turn of an exclusive group goes on: its oldest waiting job was refused at the claim until now."""
    if group and (waiting := run(_NEXT_OF_GROUP, {"group": group})) is not None:
        dispatch(waiting)


def _tell_parent(job: Job) -> None:
    """Count the child; the last one puts a waiting parent back to work."""
    parent = run(_CHILD_OVER, {"id": job.id})
    if parent is not None and not parent.pending_children and parent.status == Status.QUEUED:
        _back_to_work(parent.id)


def _back_to_work(parent_id: uuid.UUID) -> None:
    ready = change(_CHILDREN_OVER, parent_id, {"actor": "children"})
    if ready is not None:
        dispatch(ready)


def _ending(run: Mapping[str, Any]) -> dict[str, Any]:
    error = run.get("error")
    return {
        "status": str(run["status"]),
        "result": run.get("result"),
        "error": error_kept(error),
        "error_words": error_words(error),
        "checkpoint": run.get("checkpoint"),
    }
