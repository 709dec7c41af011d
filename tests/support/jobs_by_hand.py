"""Looking at jobs and turning their clocks, for web's tests. Needs Django set up, as those have it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.db.models import F
from django.utils import timezone
from ochaq_shared.problems import Problem
from ochaq_web.jobs.models import Job


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def timeline(job: Job) -> list[str]:
    return [event.kind for event in job.events.order_by("seq")]


def last_event(job: Job) -> Any:
    return job.events.order_by("-seq").first()


def refused(code: str, call: Callable[..., Any], **arguments: Any) -> Problem:
    with pytest.raises(Problem) as caught:
        call(**arguments)
    assert caught.value.code == code
    return caught.value


def commands() -> list[str]:
    """The ids of the jobs whose commands are in the outbox, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT subject FROM outbox WHERE type = 'ochaq.jobs.run' ORDER BY id")
        return [subject for (subject,) in cursor.fetchall()]


def commands_published() -> None:
    """As if the relay had been here."""
    with connection.cursor() as cursor:
        cursor.execute("UPDATE outbox SET published_at = now()")


def aged(job: Job, seconds: float) -> None:
    """Let every clock of the job run this much faster."""
    ago = timedelta(seconds=seconds)
    names = ("run_after", "dispatched_at", "claimed_at", "cancel_requested_at", "lease_until", "started_at")
    Job.objects.filter(pk=job.pk).update(**{name: F(name) - ago for name in names})


def expired(job: Job) -> None:
    """Its lease ran out long ago, and nothing else happened."""
    Job.objects.filter(pk=job.pk, status="running").update(lease_until=timezone.now() - timedelta(seconds=30))
