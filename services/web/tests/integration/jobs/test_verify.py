"""Zulip's verify_action for jobs: a list that was fetched and then followed events is the list fetched anew."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
import redis
from django.db import connection
from django.utils import timezone
from event_reducers import JOB_FIELDS, State, held, jobs, reduced
from ochaq_shared import live
from ochaq_shared.events import CloudEvent
from ochaq_web.config.environment import environment
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Desk:
    """Somebody looking at their jobs, a worker, and the clock."""

    person: Any
    worker: Any
    heard: Any
    at: int = 0

    def fetched(self) -> State:
        return held(self.person.get("/api/v1/jobs/", {"limit": 200}).json()["results"], JOB_FIELDS)

    def told(self) -> list[tuple[str, dict[str, Any]]]:
        """What was told since the last question: durable events in their order, then the ticks of progress."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, body::text FROM outbox WHERE id > %s AND type LIKE 'ochaq.jobs.%%' AND exchange ="
                " 'ochaq.events' ORDER BY id",
                (self.at,),
            )
            rows = cursor.fetchall()
        self.at = rows[-1][0] if rows else self.at
        durable = [CloudEvent.parse(body) for _, body in rows]
        return [*((event.name, event.data) for event in durable), *self._ticks()]

    def _ticks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while message := self.heard.get_message(timeout=0.05):
            if message["type"] == "pmessage" and b"jobs.job.progressed" in message["data"]:
                frame = json.loads(live.parse_published(message["data"]).body)
                yield frame["name"], frame["data"]

    def start(self, **params: Any) -> str:
        body = {"kind": "students.generate", "params": {"count": 100, **params}}
        return str(self.person.post("/api/v1/jobs/", body, format="json").json()["id"])

    def does(self, job: str, word: str, **body: Any) -> Any:
        """The worker's side; answers the door's JSON."""
        answer = self.worker.post(f"/internal/v1/jobs/{job}/{word}", body, format="json")
        assert answer.status_code == 200, answer.content
        return answer.json()

    def claim(self, job: str) -> int:
        return int(self.does(job, "claim", worker="h:1")["fence"])

    def asks(self, job: str, word: str) -> None:
        assert self.person.post(f"/api/v1/jobs/{job}/{word}/").status_code == 202

    def lose(self, job: str) -> None:
        """The worker is gone, and the reaper finds out."""
        Job.objects.filter(pk=job).update(lease_until=timezone.now() - timedelta(minutes=1))
        assert job_lease_reap()

    def verify(self, action: Callable[[], Any], *, silent: bool = False) -> Any:
        """Do something; what was held and followed must be what is there. Answers what the action did."""
        before = self.fetched()
        self.told()
        answer = action()
        events = self.told()
        after = self.fetched()
        assert reduced(jobs, before, events) == after
        assert silent or before != after, "an action that changes nothing verifies nothing"
        return answer


@pytest.fixture
def desk(api: Any, make_user: Any, service_client: Any) -> Iterator[Desk]:
    with redis.Redis.from_url(environment().redis_url) as client, client.pubsub() as heard:
        heard.psubscribe("rt:p:*")
        heard.get_message(timeout=1)
        yield Desk(api(user=make_user("manager")), service_client("worker"), heard)


def test_a_job_that_succeeds_is_followed_from_its_first_moment_to_its_last(desk: Desk) -> None:
    job = desk.verify(desk.start)
    fence = desk.verify(lambda: desk.claim(job))
    for done in (10, 60):
        progress = {"done": done, "total": 100}
        before = desk.fetched()
        desk.does(job, "heartbeat", fence=fence, progress=progress, checkpoint={"next_chunk": done})
        after = desk.fetched()
        # At most four ticks a second are told; the next one, or the end, brings what was left out.
        events = desk.told()
        assert reduced(jobs, before, events) in (after, before)
        assert events or done > 10
    result = {"created": 100, "removed": 0, "seconds": 1.5, "rows_per_second": 67}
    desk.verify(lambda: desk.does(job, "finish", fence=fence, status="succeeded", result=result))
    assert desk.fetched()[job]["result"] == result


def test_a_job_that_fails_and_is_tried_again_is_followed(desk: Desk) -> None:
    job = desk.start()
    fence = desk.claim(job)
    error = {"code": "jobs.crashed", "detail": "Something broke."}
    desk.verify(lambda: desk.does(job, "finish", fence=fence, status="failed", error=error))
    assert desk.fetched()[job]["status"] == "failed"
    desk.verify(lambda: desk.asks(job, "retry"))
    desk.verify(lambda: desk.claim(job))


def test_a_job_whose_worker_was_lost_is_followed(desk: Desk) -> None:
    job = desk.start()
    desk.claim(job)
    desk.verify(lambda: desk.lose(job))
    assert desk.fetched()[job]["status"] == "queued"
    desk.verify(lambda: desk.claim(job))


def test_jobs_that_are_cancelled_are_followed(desk: Desk) -> None:
    waiting, running = desk.start(), desk.start(replace=True)
    desk.verify(lambda: desk.asks(waiting, "cancel"))
    fence = desk.verify(lambda: desk.claim(running))
    desk.verify(lambda: desk.asks(running, "cancel"), silent=True)
    desk.verify(lambda: desk.does(running, "finish", fence=fence, status="cancelled"))
    assert {row["status"] for row in desk.fetched().values()} == {"cancelled"}


def test_a_late_tick_of_progress_moves_nothing_back(desk: Desk) -> None:
    job = desk.start()
    fence = desk.claim(job)
    desk.told()
    desk.does(job, "heartbeat", fence=fence, progress={"done": 50, "total": 100})
    (tick,) = [event for event in desk.told() if event[0] == "jobs.job.progressed"]
    desk.does(job, "finish", fence=fence, status="succeeded", result={"created": 100})
    now = desk.fetched()
    assert reduced(jobs, now, [tick]) == now
    assert reduced(jobs, {}, [tick]) == {}


def test_nobody_is_told_of_other_peoples_jobs(desk: Desk, api: Any, make_user: Any) -> None:
    other = api(user=make_user("manager", email="other@example.com"))
    other.post("/api/v1/jobs/", {"kind": "students.purge", "params": {}}, format="json")
    assert desk.fetched() == {}
    assert len({data["owner"] for _, data in desk.told()}) == 1, "the projector places a job's events by its owner"
