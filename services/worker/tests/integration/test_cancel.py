"""Cancelling a job that runs: at once where it listens, by force where it does not, with and without Redis."""

from __future__ import annotations

import time

import pytest
from worker_house import Door, wait_until


def cancelled_after(jobs, job_id: str, seconds: float) -> float:
    asked = time.monotonic()
    jobs.cancel(job_id)
    done = jobs.wait(job_id, seconds=seconds)
    assert done["status"] == "cancelled", done
    return time.monotonic() - asked


def test_a_job_that_listens_stops_within_a_second(jobs, worker):
    for _ in range(3):
        job_id = jobs.start("test.steps", steps=600, seconds=60)
        jobs.wait_running(job_id, done=2)
        assert cancelled_after(jobs, job_id, 3) < 1


def test_a_job_that_does_not_listen_is_ended_by_force_and_its_slot_is_free_again(house, jobs, worker):
    job_id = jobs.start("test.stubborn", seconds=50)
    jobs.wait_running(job_id)
    wait_until(lambda: jobs.of(job_id)["started_at"], 5, "started")
    assert cancelled_after(jobs, job_id, 8) < 5
    assert jobs.wait(jobs.start("test.noop"), seconds=5)["status"] == "succeeded"
    assert worker.poll() is None
    assert jobs.events(job_id).count("cancelled") == 1


def test_without_redis_a_cancel_only_takes_longer(jobs, workers):
    workers(OCHAQ_REDIS_URL="redis://127.0.0.1:9/0")
    job_id = jobs.start("test.steps", steps=600, seconds=60)
    jobs.wait_running(job_id, done=2)
    assert cancelled_after(jobs, job_id, 6) < 5


def test_when_redis_comes_back_cancels_are_quick_again(house, jobs, workers, redis_door):
    workers(OCHAQ_REDIS_URL=redis_door.url)
    wait_until(lambda: redis_door.connections, 5, "the worker listens")
    redis_door.shut()
    job_id = jobs.start("test.stubborn", seconds=20)
    jobs.wait_running(job_id)
    redis_door.open()
    wait_until(lambda: redis_door.connections, 15, "the worker listens again")
    assert cancelled_after(jobs, job_id, 8) < 5


@pytest.fixture
def redis_door(house):
    door = Door(house.environment["OCHAQ_REDIS_URL"])
    yield door
    door.close()
