"""Every event type of web's, told by the code that really tells it, looks like its golden example; and the examples of
everything web reads are handled."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from django.db import connection
from event_examples import assert_like_the_example, delivered, deliveries, example, owned_by, shape
from ochaq_shared import live
from ochaq_shared.bus import topology
from ochaq_shared.bus.inbox import InboxProcessor
from ochaq_shared.events.catalogue import event_type, types_of
from ochaq_shared.ids import uuid7
from ochaq_web.accounts.services import user_register
from ochaq_web.config.environment import environment
from ochaq_web.core import events
from ochaq_web.core.work import DjangoWork
from ochaq_web.ops.actions import action_request

RECIPE = {
    "name": "Menemen",
    "instructions": "Melt the butter.",
    "ingredients": [{"food": {"name": "egg"}, "amount": "4", "unit_of_measure": "piece"}],
}
STUDENT = {"first_name": "Gülşen", "last_name": "Yıldırım", "email": "gulsen@example.com", "age": 21}
NDJSON = {"content_type": "application/x-ndjson"}


@pytest.fixture
def doors(api: Any, browser: Any, service_client: Any) -> SimpleNamespace:
    """The ways in that the stories use."""
    return SimpleNamespace(manager=api("manager"), browser=browser, worker=service_client("worker"))


def accepted(answer: Any) -> Any:
    assert 200 <= answer.status_code < 400, answer.content
    return answer.json() if answer.content.startswith(b"{") else None


def somebody_registers(doors: Any) -> None:
    user_register(email="aziza@ochaq.localhost", password="flour and water 42", roles=["student"])


def somebody_signs_out(doors: Any) -> None:
    accepted(doors.browser("student").post("/accounts/logout/"))


def a_recipe_is_published(doors: Any) -> int:
    return int(accepted(doors.manager.post("/api/v1/recipes/", RECIPE, format="json"))["id"])


def a_recipe_is_changed(doors: Any) -> None:
    path = f"/api/v1/recipes/{a_recipe_is_published(doors)}/"
    accepted(doors.manager.patch(path, {"name": "Menemen with pepper"}, format="json"))


def a_recipe_is_removed(doors: Any) -> None:
    accepted(doors.manager.delete(f"/api/v1/recipes/{a_recipe_is_published(doors)}/"))


def a_student_is_enrolled(doors: Any) -> str:
    return f"/api/v1/students/{accepted(doors.manager.post('/api/v1/students/', STUDENT, format='json'))['id']}/"


def a_student_is_changed(doors: Any) -> None:
    accepted(doors.manager.patch(a_student_is_enrolled(doors), {"age": 22}, format="json"))


def a_student_leaves(doors: Any) -> None:
    accepted(doors.manager.delete(a_student_is_enrolled(doors)))


def a_job_runs(doors: Any, kind: str = "students.generate", **params: Any) -> tuple[str, int]:
    """The job's id and fence."""
    job = accepted(doors.manager.post("/api/v1/jobs/", {"kind": kind, "params": params}, format="json"))["id"]
    return job, accepted(doors.worker.post(f"/internal/v1/jobs/{job}/claim", {"worker": "h:1"}, format="json"))["fence"]


def a_job_succeeds(doors: Any) -> None:
    job, fence = a_job_runs(doors, count=3, replace=True)
    result = {"created": 3, "removed": 0, "seconds": 0.5, "rows_per_second": 6}
    body = {"fence": fence, "status": "succeeded", "result": result, "error": None}
    accepted(doors.worker.post(f"/internal/v1/jobs/{job}/finish", body, format="json"))


def a_batch_comes(doors: Any) -> tuple[str, int]:
    job, fence = a_job_runs(doors, count=3, replace=True)
    lines = b"".join(json.dumps({**STUDENT, "email": f"s{n}@example.com"}).encode() + b"\n" for n in range(3))
    path = f"/internal/v1/students/batches?job={job}&fence={fence}&chunk=0"
    accepted(doors.worker.generic("POST", path, lines, **NDJSON))
    return job, fence


def a_batch_goes(doors: Any) -> None:
    job, fence = a_batch_comes(doors)
    accepted(doors.worker.post("/internal/v1/students/purges", {"job": job, "fence": fence}, format="json"))


def an_operator_acts(doors: Any) -> None:
    letter = "q.search.students/0192f0c4-77aa-7d10-8f3e-5a1c0b9d2e42"
    action_request(action="dlq.replay", actor="operator@example.com", targets=[letter], reason="The index is back.")


STORIES: dict[str, Callable[[Any], Any]] = {
    "ochaq.accounts.user.registered.v1": somebody_registers,
    "ochaq.accounts.session.revoked.v1": somebody_signs_out,
    "ochaq.cookbook.recipe.published.v1": a_recipe_is_published,
    "ochaq.cookbook.recipe.changed.v1": a_recipe_is_changed,
    "ochaq.cookbook.recipe.removed.v1": a_recipe_is_removed,
    "ochaq.jobs.job.changed.v1": a_job_succeeds,
    "ochaq.ops.action.taken.v1": an_operator_acts,
    "ochaq.students.student.created.v1": a_student_is_enrolled,
    "ochaq.students.student.changed.v1": a_student_is_changed,
    "ochaq.students.student.removed.v1": a_student_leaves,
    "ochaq.students.batch.created.v1": a_batch_comes,
    "ochaq.students.batch.removed.v1": a_batch_goes,
}
KNOWN = types_of(topology.WEB_EVENTS)
PROGRESSED = "ochaq.jobs.job.progressed.v1"


def told(name: str) -> list[dict[str, Any]]:
    """What the outbox holds of one type, in order."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT body::text FROM outbox WHERE type = %s ORDER BY id", (name,))
        return [json.loads(body) for (body,) in cursor.fetchall()]


def test_every_type_of_web_has_its_story() -> None:
    assert {*STORIES, PROGRESSED} == set(owned_by("web"))


@pytest.mark.django_db
@pytest.mark.parametrize("name", STORIES)
def test_what_web_tells_looks_like_its_example(name: str, doors: Any) -> None:
    STORIES[name](doors)
    last = told(name)[-1]
    if name == "ochaq.jobs.job.changed.v1":
        assert last["data"]["result"] and last["data"]["status"] == "succeeded"
    assert_like_the_example(last)


@pytest.mark.django_db(transaction=True)
def test_a_tick_of_progress_looks_like_its_example(doors: Any) -> None:
    job, fence = a_job_runs(doors, count=10, replace=True)
    with redis.Redis.from_url(environment().redis_url) as client, client.pubsub() as heard:
        heard.psubscribe("rt:p:*")
        heard.get_message(timeout=1)
        beat = {"fence": fence, "progress": {"done": 5, "total": 10}}
        accepted(doors.worker.post(f"/internal/v1/jobs/{job}/heartbeat", beat, format="json"))
        frame = heard_of(heard, job)
    assert frame["name"] == event_type(PROGRESSED).name
    assert shape(frame["data"]) == shape(example(PROGRESSED)["data"])
    assert told(PROGRESSED) == [], "progress is never in the outbox"


def heard_of(heard: Any, job: str, seconds: float = 5) -> dict[str, Any]:
    """The first published frame about a job."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        message = heard.get_message(timeout=0.1)
        if message and message["type"] == "pmessage" and job.encode() in message["data"]:
            found: dict[str, Any] = json.loads(live.parse_published(message["data"]).body)
            return found
    raise AssertionError("no progress was published")


@pytest.mark.django_db(transaction=True)
def test_every_example_that_web_reads_is_handled_once_and_again() -> None:
    # Handlers that depend on order wait for the versions before this one, so those come first.
    batch = [
        *(delivered(row, id=uuid7(), version=n) for row in KNOWN for n in range(1, row.example["version"])),
        *deliveries(topology.WEB_EVENTS),
    ]
    processor = InboxProcessor("web", DjangoWork(), events.handlers())
    for _ in range(2):
        outcomes = processor.process(batch)
        assert [(one.event.type, outcome.error) for one, outcome in zip(batch, outcomes, strict=True)] == [
            (one.event.type, "") for one in batch
        ]
        assert all(outcome.acked for outcome in outcomes)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM inbox WHERE done_at IS NOT NULL")
        assert cursor.fetchone() == (len(batch),)
