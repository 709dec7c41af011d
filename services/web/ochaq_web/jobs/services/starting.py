"""Making jobs, for people, for schedules, and for jobs that split their work."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from django.db import transaction
from django.db.models import F
from ochaq_shared.problems import FieldError, Problem
from ochaq_shared.telemetry import current_request_id

from ochaq_web.core.models import new_id
from ochaq_web.jobs import problems
from ochaq_web.jobs.announce import dispatch
from ochaq_web.jobs.kinds import Kind, kind_named, params_of
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.params import Params
from ochaq_web.jobs.services.running import job_hold
from ochaq_web.jobs.transitions import change, json_or_null, statement

MOST_CHILDREN = 1_000

_ENQUEUE = statement(
    """
INSERT INTO job (id, kind, queue, exclusive, params, owner_id, dedupe_key, parent_id, awaited, status, version,
  max_attempts, deadline_seconds, progress_total, dispatched_at, dispatches, trace)
VALUES (%(id)s, %(kind)s, %(queue)s, %(exclusive)s, %(params)s::jsonb, %(owner)s::uuid, %(dedupe_key)s::text,
  %(parent)s::uuid, %(parent)s::uuid IS NOT NULL, 'queued', 1, %(max_attempts)s, %(deadline)s, %(total)s, now(), 1,
  %(trace)s)
ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING
""",
    "'queued'",
    data="jsonb_build_object('reason', nullif(%(reason)s::text, ''))",
)


@dataclass(frozen=True)
class _Order:
    """What is to be made, checked."""

    kind: Kind
    params: Params
    dedupe_key: str | None


def job_enqueue(
    *, kind: str, params: object, owner: Any, dedupe_key: str | None = None, actor: str = "", reason: str = ""
) -> Job:
    """Make a job and send its command. With a `dedupe_key` in use the job that holds it is the answer.

    `actor` is who the timeline names: the owner, unless somebody else (a schedule) acts for them.
    """
    row = kind_named(kind)
    order = _Order(row, params_of(row, params), dedupe_key)
    owner_id = owner.pk if owner is not None else None
    with transaction.atomic():
        job, _ = _make(order, owner_id, actor=actor or str(owner_id or ""), reason=reason)
    return job


def children_start(*, job_id: uuid.UUID, fence: int, jobs: Sequence[Mapping[str, Any]]) -> list[uuid.UUID]:
    """Make children of a running job: `jobs` are `{"kind", "params", "dedupe_key"?}`, the answer their ids in order.

    A dedupe key is the parent's own: the same call again finds the same children. The parent counts those that are not
    over in `pending_children`; once it finishes as `waiting`, the last child to end puts it back to work.
    """
    if len(jobs) > MOST_CHILDREN:
        raise Problem("request.invalid", errors=[FieldError("/jobs", "too_many", f"At most {MOST_CHILDREN} at once.")])
    orders = [_child_order(number, job_id, asked) for number, asked in enumerate(jobs)]
    with transaction.atomic():
        parent = job_hold(job_id=job_id, fence=fence)
        if parent.cancel_requested_at is not None:
            raise Problem(problems.OVER, "The parent is being cancelled.")
        found = [_make(order, parent.owner_id, parent=parent, actor="parent") for order in orders]
        new = sum(is_new for _, is_new in found)
        Job.objects.filter(pk=parent.pk).update(pending_children=F("pending_children") + new)
    return [child.id for child, _ in found]


def _child_order(number: int, parent_id: uuid.UUID, asked: Mapping[str, Any]) -> _Order:
    try:
        kind = kind_named(asked.get("kind"))
        params = params_of(kind, asked.get("params", {}))
    except Problem as problem:
        errors = [replace(error, pointer=f"/jobs/{number}{error.pointer}") for error in problem.errors]
        raise Problem(problem.code, errors=errors) from problem
    key = asked.get("dedupe_key")
    return _Order(kind, params, f"{parent_id}:{key}" if key else None)


def _make(
    order: _Order, owner_id: uuid.UUID | None, *, actor: str, reason: str = "", parent: Job | None = None
) -> tuple[Job, bool]:
    """The new job with its command sent, or the one that holds the dedupe key; and whether it is new."""
    values = {
        "kind": order.kind.name,
        "queue": order.kind.queue,
        "exclusive": order.kind.exclusive,
        "params": json_or_null(order.params.model_dump()),
        "owner": owner_id,
        "dedupe_key": order.dedupe_key,
        "parent": None if parent is None else parent.id,
        "max_attempts": order.kind.max_attempts,
        "deadline": order.kind.deadline_seconds,
        "total": order.params.total(),
        "trace": current_request_id(),
        "actor": actor,
        "reason": reason,
    }
    job = change(_ENQUEUE, new_id(), values)
    if job is None:
        return Job.objects.get(dedupe_key=order.dedupe_key), False
    dispatch(job)
    return job, True
