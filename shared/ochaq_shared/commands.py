"""Commands: messages that ask one receiver to do something, sent through the outbox like events.

Celery's share is written in its message protocol version 2 (docs.celeryq.dev, "Message Protocol"), so that the relay
can start tasks without importing Celery, and web without a broker connection.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ochaq_shared.events.base import Lane
from ochaq_shared.ids import uuid7
from ochaq_shared.telemetry import current_request_id, current_traceparent


@dataclass(frozen=True)
class Command:
    """One message for the `ochaq.commands` exchange. `subject` keeps the order of commands about one thing."""

    type: str
    routing_key: str
    subject: str
    body: Any
    headers: dict[str, Any] = field(default_factory=dict)
    lane: Lane = Lane.URGENT
    id: str = field(default_factory=uuid7)


def celery_command(task: str, job_id: str, queue: str, time_limits: tuple[int, int] | None = None) -> Command:
    """Start Celery task `task` with the job's id as its only argument; the task's id is the job's id.

    `time_limits` are the seconds after which Celery kills the task and after which it raises inside it: hard, soft.
    """
    return _celery(task, job_id, job_id, queue, job_id, time_limits)


def celery_group_command(
    task: str, job_ids: Sequence[str], queue: str, subject: str, time_limits: tuple[int, int] | None = None
) -> Command:
    """Start Celery task `task` with the ids of many jobs as its only argument; the task has an id of its own."""
    return _celery(task, uuid7(), list(job_ids), queue, subject, time_limits)


def _celery(
    task: str, task_id: str, argument: Any, queue: str, subject: str, time_limits: tuple[int, int] | None
) -> Command:
    headers = {
        "lang": "py",
        "task": task,
        "id": task_id,
        "root_id": task_id,
        "parent_id": None,
        "group": None,
        "argsrepr": f"({argument!r},)",
        "kwargsrepr": "{}",
        "timelimit": list(time_limits or (None, None)),
        "ochaq_request_id": current_request_id(),
        "traceparent": current_traceparent(),
    }
    body = [[argument], {}, {"callbacks": None, "errbacks": None, "chain": None, "chord": None}]
    return Command(type=task, routing_key=queue, subject=subject, body=body, headers=headers)


def plain_command(routing_key: str, subject: str, body: dict[str, Any]) -> Command:
    """A command with a plain JSON body, for receivers that are not Celery."""
    headers = {"ochaq_request_id": current_request_id(), "traceparent": current_traceparent()}
    return Command(type=routing_key, routing_key=routing_key, subject=subject, body=body, headers=headers)
