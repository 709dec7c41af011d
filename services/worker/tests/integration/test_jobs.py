"""Whole jobs on real processes: through web's API, the outbox, RabbitMQ and the worker, with kills on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
import uuid

import httpx
import pytest
from ochaq_shared.commands import celery_command


def demo(house):
    return house.rows("SELECT count(*), count(DISTINCT lower(email)), min(age), max(age) FROM student WHERE demo")[0]


def test_each_line_of_the_log_is_one_json_object(house, jobs, worker):
    jobs.wait(jobs.start("students.purge"))
    lines = [line for log in house.logs.glob("ochaq_worker-work-*.log") for line in log.read_text().splitlines()]
    assert lines
    # What Celery says on its way out goes around every logger.
    assert [line for line in lines if line and not line.startswith(("{", "worker: "))] == []


def test_the_request_id_of_the_click_is_in_the_events_of_every_chunk(house, manager, jobs, worker):
    answer = manager.post("/api/v1/jobs/", json={"kind": "students.generate", "params": {"count": 20}})
    jobs.wait(answer.json()["id"])
    told = house.rows(
        "SELECT DISTINCT body->>'requestid' FROM outbox WHERE type = 'ochaq.students.batch.created.v1'"
        " AND body->'data'->>'job_id' = %s",
        answer.json()["id"],
    )
    assert told == house.rows(
        "SELECT DISTINCT body->>'requestid' FROM outbox WHERE type = 'ochaq.jobs.job.changed.v1' AND subject = %s",
        answer.json()["id"],
    )
    assert len(told) == 1


def test_generate_makes_exactly_what_was_asked_and_replace_leaves_the_real_ones(house, manager, jobs, worker):
    real = {"first_name": "Real", "last_name": "One", "email": f"{uuid.uuid4().hex}@example.com", "age": 30}
    kept = manager.post("/api/v1/students/", json=real).json()["id"]
    first = jobs.wait(jobs.start("students.generate", count=3_001, replace=True))
    assert (first["status"], first["result"]["created"]) == ("succeeded", 3_001)
    assert first["progress"] == {"done": 3_001, "total": 3_001}
    again = jobs.wait(jobs.start("students.generate", count=777, replace=True))
    assert again["result"]["removed"] == 3_001
    assert set(again["result"]) == {"created", "removed", "seconds", "rows_per_second"}
    added = jobs.wait(jobs.start("students.generate", count=223, replace=False))
    assert added["result"]["removed"] == 0
    count, addresses, youngest, oldest = demo(house)
    assert count == addresses == 1_000 and youngest >= 15 and oldest <= 70
    purged = jobs.wait(jobs.start("students.purge"))
    assert purged["result"]["removed"] == 1_000 and demo(house)[0] == 0
    assert manager.get(f"/api/v1/students/{kept}/").status_code == 200


def test_a_running_job_is_cancelled_between_two_chunks_and_retry_goes_on(house, manager, jobs, worker):
    job_id = jobs.start("students.generate", count=100_000, replace=True)
    jobs.wait(job_id, lambda found: found["progress"]["done"] >= 5_000)
    asked = time.monotonic()
    assert manager.post(f"/api/v1/jobs/{job_id}/cancel/").status_code == 202
    stopped = jobs.wait(job_id)
    assert stopped["status"] == "cancelled" and time.monotonic() - asked < 6
    assert demo(house)[0] < 100_000
    assert manager.post(f"/api/v1/jobs/{job_id}/retry/").status_code == 202
    assert jobs.wait(job_id)["status"] == "succeeded"
    assert demo(house)[:2] == (100_000, 100_000)


def test_a_duplicate_command_changes_nothing(house, jobs, worker):
    job_id = jobs.start("students.generate", count=100, replace=True)
    jobs.wait(job_id)
    duplicate = celery_command("ochaq.jobs.run", job_id, "jobs.long")
    house.rows(
        "INSERT INTO outbox"
        " (event_id, type, source, subject, version, shard, lane, exchange, routing_key, headers, body)"
        " VALUES (%s, 'x', '/commands', %s, 0, 0, 0, 'ochaq.commands', 'jobs.long', %s, %s) RETURNING id",
        *(duplicate.id, job_id, json.dumps(duplicate.headers), json.dumps(duplicate.body)),
    )
    last = jobs.wait(jobs.start("students.generate", count=50, replace=False))
    assert last["status"] == "succeeded" and demo(house)[0] == 150
    assert jobs.of(job_id)["attempt"] == 1


def test_the_worker_outlives_a_restart_of_web(house, jobs, worker):
    job_id = jobs.start("students.generate", count=60_000, replace=True)
    jobs.wait(job_id, lambda found: found["progress"]["done"] >= 10_000)
    serve = house.processes[0]
    port = int(house.web_url.rpartition(":")[2])
    house.stop(serve)
    house.processes[0] = house.start("ochaq_web", "serve", port=port)
    for _ in range(100):
        try:
            done = jobs.wait(job_id, seconds=60)
            break
        except httpx.HTTPError:
            time.sleep(0.1)
    assert done["status"] == "succeeded" and demo(house)[:2] == (60_000, 60_000)


@pytest.mark.parametrize("kind", ["students.nothing"])
def test_a_kind_that_nobody_knows_never_reaches_the_worker(manager, kind):
    assert manager.post("/api/v1/jobs/", json={"kind": kind, "params": {}}).status_code == 422


def test_a_worker_killed_in_mid_job_is_taken_over_from_its_last_chunk(house, jobs, workers):
    victim = workers()
    job_id = jobs.start("students.generate", count=80_000, replace=True)
    jobs.wait(job_id, lambda found: found["progress"]["done"] >= 10_000)
    house.stop(victim, signal.SIGKILL)
    killed = time.monotonic()
    workers()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, 20)
    assert time.monotonic() - killed < 14  # a lease of 9 s, a reaper every 2 s, and the worker's own start
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and done["result"]["created"] == 80_000
    assert demo(house)[:2] == (80_000, 80_000)
    (starts,) = house.rows("SELECT count(*) FROM student_chunk WHERE job_id = %s", job_id)[0]
    assert starts == 16


def test_a_worker_frozen_past_its_lease_finds_its_fence_refused(house, jobs, workers):
    frozen = workers()
    job_id = jobs.start("students.generate", count=80_000, replace=True)
    jobs.wait(job_id, lambda found: found["progress"]["done"] >= 10_000)
    os.killpg(frozen.pid, signal.SIGSTOP)
    workers()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, 25)
    os.killpg(frozen.pid, signal.SIGCONT)
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and demo(house)[:2] == (80_000, 80_000)
    assert [row[0] for row in house.rows("SELECT kind FROM job_event WHERE job_id = %s ORDER BY seq", job_id)] == [
        *("queued", "claimed", "lease_lost", "claimed", "succeeded"),
    ]


def test_cancel_works_without_any_worker(manager, jobs, workers):
    job_id = jobs.start("students.generate", count=10)
    assert manager.post(f"/api/v1/jobs/{job_id}/cancel/").json()["status"] == "cancelled"


def test_two_jobs_that_replace_each_other_run_one_after_the_other(house, jobs, workers):
    workers()
    workers()
    ids = [jobs.start("students.generate", count=10_001 + number, replace=True) for number in range(4)]
    results = [jobs.wait(job_id) for job_id in ids]
    assert [found["status"] for found in results] == ["succeeded"] * 4
    assert demo(house)[0] == 10_004


@pytest.mark.timeout(400)
@pytest.mark.parametrize("count", [150_000, pytest.param(1_000_000, marks=pytest.mark.long)])
def test_a_million_students_need_no_more_memory_than_a_few(house, jobs, workers, count):
    fresh = workers()
    jobs.wait(jobs.start("students.generate", count=20_000, replace=True))
    before = _resident(fresh.pid)
    jobs.wait(jobs.start("students.generate", count=count, replace=True), seconds=300)
    # Kept rows would show: 150 000 of them as Python's objects are far more than this.
    assert _resident(fresh.pid) - before < 40_000
    jobs.wait(jobs.start("students.purge"))


def _resident(pid: int) -> int:
    """KiB of the largest process of a worker's session."""
    found = subprocess.run(["ps", "-o", "rss=", "-s", str(pid)], capture_output=True, text=True, check=True)
    return max(int(size) for size in found.stdout.split())
