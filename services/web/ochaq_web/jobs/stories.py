"""What the page of a job tells: its facts, its timeline in people's words, and the jobs around it."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone
from django.utils.translation import gettext as _

from ochaq_web.jobs import selectors
from ochaq_web.jobs.models import Job, JobEvent, Status
from ochaq_web.jobs.words import advice, event_label

LINES = 200  # the newest lines of a timeline: one with more tells the same story again and again
CHILDREN = 100


def job_story(job: Job, reader: Any) -> dict[str, Any]:
    """Everything `jobs/job.html` shows beside the job itself."""
    events = list(JobEvent.objects.filter(job=job).order_by("-seq")[:LINES])
    events.reverse()
    people = _people([*(event.actor for event in events), str(job.owner_id or "")])
    return {
        "owner": people.get(str(job.owner_id or "")),
        "events": [_line(event, people, reader) for event in events],
        "cut": bool(events and events[0].seq > 1),
        "children": [selectors.job_row(child) for child in job.children.order_by("id")[:CHILDREN]],
        "parent": job.parent,
        "advice": advice(job.error) if job.status == Status.FAILED else "",
        "waited": _between(job.created_at, job.started_at),
        "ran": _between(job.claimed_at, job.finished_at if job.is_over else timezone.now()),
        "later": job.status == Status.QUEUED and job.run_after > timezone.now(),
        "row": job,
    }


def _line(event: JobEvent, people: Mapping[str, Any], reader: Any) -> dict[str, Any]:
    data = event.data or {}
    return {
        "at": event.at,
        "kind": event.kind,
        "label": event_label(event.kind),
        "who": _who(event, people, reader),
        "worker": str(data.get("worker") or ""),
        "reason": str(data.get("reason") or ""),
        "attempt": data.get("attempt") if event.kind == "claimed" else None,
        "ran_seconds": data.get("run_seconds"),
        # A claim tells how long the job had waited, a way back into the queue how long it will.
        "pause_seconds": data.get("wait_seconds") if event.kind != "claimed" else None,
        "detail": _detail(data),
    }


def _who(event: JobEvent, people: Mapping[str, Any], reader: Any) -> str:
    """The person behind a line; nothing where the house did it by itself."""
    person = people.get(event.actor)
    if person is None:
        return ""
    return _("you") if person.pk == reader.pk else person.name or _("somebody of the house")


def _detail(data: Mapping[str, Any]) -> str:
    error = data.get("error")
    if isinstance(error, Mapping):
        return str(error.get("detail") or error.get("code") or "")
    return str(data.get("detail") or "")


def _people(actors: Iterable[str]) -> dict[str, Any]:
    """The users among the actors of a timeline, by their id as text; the other actors are workers and the house."""
    ids = set()
    for actor in actors:
        try:
            ids.add(uuid.UUID(actor))
        except ValueError:
            continue
    return {str(user.pk): user for user in get_user_model().objects.filter(pk__in=ids)}


def _between(start: Any, end: Any) -> float | None:
    """Seconds from one moment to another, where both are known."""
    return max(0.0, (end - start).total_seconds()) if start and end else None
