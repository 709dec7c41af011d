"""Progress reaches the owner's stream, at most four times a second."""

from __future__ import annotations

import time

import pytest
import redis
from ochaq_web.config.environment import environment
from ochaq_web.jobs import services

pytestmark = pytest.mark.django_db(transaction=True)


def test_progress_is_told_at_most_four_times_a_second(make_user, service_client):
    job = services.job_enqueue(kind="students.generate", params={"count": 100}, owner=make_user("manager"))
    services.job_claim(job_id=job.id, worker="h:1")
    worker = service_client("worker")
    with redis.Redis.from_url(environment().redis_url) as client, client.pubsub() as heard:
        heard.psubscribe("rt:p:*")
        heard.get_message(timeout=1)
        for done in range(10):
            beat = {"fence": 1, "progress": {"done": done, "total": 100}}
            worker.post(f"/internal/v1/jobs/{job.id}/heartbeat", beat)
        ticks = 0
        until = time.monotonic() + 0.5
        while time.monotonic() < until:
            message = heard.get_message(timeout=0.05)
            ticks += bool(message and message["type"] == "pmessage" and b"jobs.job.progressed" in message["data"])
    assert 1 <= ticks <= 3
