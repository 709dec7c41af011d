"""Making jobs, for people, for schedules, and for jobs that split their work."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from django.db import transaction
from django.db.models import F
from ochaq_shared.problems import FieldError, Problem
from ochaq_shared.telemetry import current_request_id

from ochaq_web.core.models import new_id
from ochaq_web.jobs import problems
from ochaq_web.jobs.announce import dispatch, dispatch_many
from ochaq_web.jobs.kinds import Kind, kind_named, params_of
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.params import Params
from ochaq_web.jobs.services.running import job_hold
from ochaq_web.jobs.transitions import change, change_many, json_or_null, statement, statement_of_many

MOST_CHILDREN = 1_000

_NEW = {
    "kind": "text",
    "queue": "text",
    "exclusive": "text",
    "params": "jsonb",
    "owner": "uuid",
    "dedupe_key": "text",
    "parent": "uuid",
    "max_attempts": "int",
    "deadline": "int",
    "total": "bigint",
    "trace": "text",
}
_INTO = """
INSERT INTO job (id, kind, queue, exclusive, params, owner_id, dedupe_key, parent_id, max_attempts, deadline_seconds,
  progress_total, trace, awaited, status, version, dispatched_at, dispatches)
"""
_WITH = "'queued', 1, now(), 1"
_UNLESS_THERE = "ON CONFLICT (dedupe_key) WHERE dedupe_key IS NOT NULL DO NOTHING"
_TOLD = {"event": "'queued'", "data": "jsonb_build_object('reason', nullif(%(reason)s::text, ''))"}

_ENQUEUE = statement(
    f"{_INTO} VALUES (%(id)s, {', '.join(f'%({name})s::{kind}' for name, kind in _NEW.items())},"
    f" %(parent)s::uuid IS NOT NULL, {_WITH}) {_UNLESS_THERE}",
    **_TOLD,
)
_ENQUEUE_MANY = statement_of_many(
    f"{_INTO} SELECT id, {', '.join(_NEW)}, parent IS NOT NULL, {_WITH} FROM given ORDER BY id {_UNLESS_THERE}",  # noqa: S608
    columns=", ".join(f"{name} {kind}" for name, kind in _NEW.items()),
    **_TOLD,
)


@dataclass(frozen=True)
class _Order:
    """What is to be made, checked."""

    kind: Kind
    params: Params
    dedupe_key: str | None
    id: uuid.UUID = field(default_factory=new_id)


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
        return _make(order, owner_id, actor=actor or str(owner_id or ""), reason=reason)


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
        new = _make_children(orders, parent)
        Job.objects.filter(pk=parent.pk).update(pending_children=F("pending_children") + len(new))
        dispatch_many(new, parent.id)
        return _ids(orders, new)


def _child_order(number: int, parent_id: uuid.UUID, asked: Mapping[str, Any]) -> _Order:
    try:
        kind = kind_named(asked.get("kind"))
        params = params_of(kind, asked.get("params", {}))
    except Problem as problem:
        errors = [replace(error, pointer=f"/jobs/{number}{error.pointer}") for error in problem.errors]
        raise Problem(problem.code, errors=errors) from problem
    key = asked.get("dedupe_key")
    return _Order(kind, params, f"{parent_id}:{key}" if key else None)


def _make_children(orders: Sequence[_Order], parent: Job) -> list[Job]:
    """Those of the children that are new."""
    given = [{"id": order.id, **_values(order, parent.owner_id, parent)} for order in orders]
    return change_many(_ENQUEUE_MANY, given, {"actor": "parent", "reason": ""}) if given else []


def _ids(orders: Sequence[_Order], new: Sequence[Job]) -> list[uuid.UUID]:
    """The id of each order's child: its own, or that of the child which has its dedupe key already."""
    made = {job.id for job in new}
    keys = [order.dedupe_key for order in orders if order.id not in made]
    there = dict(Job.objects.filter(dedupe_key__in=keys).values_list("dedupe_key", "pk")) if keys else {}
    return [order.id if order.id in made else there[order.dedupe_key] for order in orders]


def _make(order: _Order, owner_id: uuid.UUID | None, *, actor: str, reason: str) -> Job:
    """The new job with its command sent, or the one that holds the dedupe key."""
    values = {**_values(order, owner_id, None), "actor": actor, "reason": reason}
    job = change(_ENQUEUE, order.id, {**values, "params": json_or_null(values["params"])})
    if job is None:
        return Job.objects.get(dedupe_key=order.dedupe_key)
    dispatch(job)
    return job


def _values(order: _Order, owner_id: uuid.UUID | None, parent: Job | None) -> dict[str, Any]:
    return {
        "kind": order.kind.name,
        "queue": order.kind.queue,
        "exclusive": order.kind.exclusive,
        "params": order.params.model_dump(),
        "owner": owner_id,
        "dedupe_key": order.dedupe_key,
        "parent": None if parent is None else parent.id,
        "max_attempts": order.kind.max_attempts,
        "deadline": order.kind.deadline_seconds,
        "total": order.params.total(),
        "trace": current_request_id(),
    }
