"""What SQL writes into the outbox is what the shared model says, for each kind of change."""

from __future__ import annotations

from itertools import chain

import orjson
import pytest
from django.db import connection
from jobs_by_hand import fresh
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.jobs import JobChanged, Progress
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import shard_of
from ochaq_shared.telemetry import bind_request
from ochaq_web.jobs import services
from ochaq_web.jobs.announce import job_core

pytestmark = pytest.mark.django_db

NAMES = "event_id, type, source, subject, version, shard, lane, exchange, routing_key, headers, body"


def last_fact():
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NAMES} FROM outbox WHERE exchange = 'ochaq.events' ORDER BY id DESC LIMIT 1")
        return dict(zip(NAMES.split(", "), cursor.fetchone(), strict=True))


def changes(job):
    """Each change in the life of a job, as something to call."""
    yield lambda: services.job_claim(job_id=job.id, worker='a "quoted" ☃ worker')
    busy = {"code": "x.busy", "detail": "ütü\n", "retry": "transient", "after_seconds": 0}
    yield lambda: services.job_finish(job_id=job.id, fence=1, status="failed", error=busy)
    yield lambda: services.job_cancel(job_id=job.id, actor="me")
    yield lambda: services.job_retry(job_id=job.id, actor="me")
    yield lambda: services.job_claim(job_id=job.id, worker="w")
    services.job_heartbeat(job_id=job.id, fence=2, progress={"done": 3, "total": 2**50})
    yield lambda: services.job_finish(
        job_id=job.id, fence=2, status="succeeded", result={"ключ": [1, None, {"a": 2.5}]}
    )


def test_every_change_is_told_as_the_model_would_tell_it(enqueue):
    with bind_request("0123456789abcdef", "00-11112222333344445555666677778888-aaaabbbbccccdddd-01"):
        job = enqueue("students.generate", {"count": 7})
        seen = set()
        for number, change in enumerate(chain([None], changes(job)), start=1):
            if change is not None:
                change()
            found, row = last_fact(), fresh(job)
            core = job_core(row)
            fact = JobChanged(**{**core, "progress": Progress(**core["progress"])})
            event = CloudEvent.parse(found["body"] if isinstance(found["body"], str) else orjson.dumps(found["body"]))
            meant = CloudEvent.of(fact, subject=str(job.id), version=row.version)
            assert event.model_dump(exclude={"id", "time"}) == meant.model_dump(exclude={"id", "time"})
            assert event.fact() == fact and event.version == number
            assert (found["type"], found["routing_key"]) == (fact.event_type, fact.event_type)
            assert (found["source"], found["exchange"]) == (fact.source, "ochaq.events")
            assert (found["shard"], found["lane"]) == (shard_of(str(job.id)), int(fact.lane))
            assert str(found["event_id"]) == event.id and event.id[14] == uuid7()[14] == "7"
            seen.add(event.id)
    assert len(seen) == number == 7


def test_a_change_that_did_not_happen_is_not_told(running):
    job = running()
    before = last_fact()["event_id"]
    with pytest.raises(Exception, match=r"jobs\.not_claimable"):
        services.job_claim(job_id=job.id, worker="host:2")
    assert last_fact()["event_id"] == before and fresh(job).version == job.events.count()
