"""What one job may take: memory, time, and slots."""

from __future__ import annotations

import json
import time

from kombu import Connection
from ochaq_shared.commands import celery_command
from worker_house import Door, children_of, gone, memory_kib, wait_until


def test_a_job_that_wants_too_much_memory_fails_alone(jobs, workers):
    main = workers(OCHAQ_WORKER_CONCURRENCY="2", OCHAQ_WORKER_MEMORY_MB="256")
    neighbour = jobs.start("test.noop")
    hog = jobs.wait(jobs.start("test.hog", megabytes=2_000))
    assert hog["status"] == "failed" and hog["error"]["code"] == "jobs.memory"
    assert hog["attempt"] == 1, "asking again would not help"
    assert jobs.wait(neighbour)["status"] == "succeeded"
    assert jobs.wait(jobs.start("test.hog", megabytes=20))["status"] == "succeeded"
    assert main.poll() is None
    assert all(memory_kib(pid, "Private_Dirty") < 100_000 for pid in children_of(main.pid)), (
        "the grown process was replaced"
    )


def test_the_soft_limit_of_a_command_ends_the_run_as_failed(house, jobs, workers):
    job_id = limited(house, jobs, "test.steps", hard=20, soft=2)
    workers()
    done = jobs.wait(job_id, seconds=20)
    assert (done["status"], done["error"]["code"], done["attempt"]) == ("failed", "jobs.time_limit", 1)


def test_the_hard_limit_of_a_command_takes_the_process_away(house, jobs, workers):
    job_id = limited(house, jobs, "test.stubborn", hard=3, soft=1)
    main = workers()
    jobs.wait_running(job_id)
    victim = jobs.holder(job_id)
    wait_until(lambda: gone(victim), 8, "killed by the hard limit")
    jobs.cancel(job_id)
    assert jobs.wait(job_id, seconds=10)["status"] == "cancelled"
    assert jobs.wait(jobs.start("test.noop"), seconds=10)["status"] == "succeeded"
    assert main.poll() is None


def limited(house, jobs, kind: str, *, hard: float, soft: float) -> str:
    """A job whose only command carries these limits."""
    job_id = jobs.start(kind, seconds=30)
    with Connection(house.environment["OCHAQ_AMQP_URL"]) as broker:
        channel = broker.default_channel
        wait_until(lambda: channel.queue_purge("jobs.long"), 10, "the first command came, and is gone")
    command = celery_command("ochaq.jobs.run", job_id, "jobs.long")
    house.rows(
        "INSERT INTO outbox"
        " (event_id, type, source, subject, version, shard, lane, exchange, routing_key, headers, body)"
        " VALUES (%s, 'x', '/commands', %s, 0, 0, 0, 'ochaq.commands', 'jobs.long', %s, %s) RETURNING id",
        *(command.id, job_id, json.dumps({**command.headers, "timelimit": [hard, soft]}), json.dumps(command.body)),
    )
    return job_id


def test_two_long_jobs_leave_room_for_a_short_one(jobs, workers):
    workers(OCHAQ_WORKER_CONCURRENCY="3")
    long = [jobs.start("test.steps", steps=30, seconds=15) for _ in range(4)]
    jobs.wait_running(long[0])
    jobs.wait_running(long[1])
    for _ in range(3):
        asked = time.monotonic()
        assert jobs.wait(jobs.start("test.noop"), seconds=5)["status"] == "succeeded"
        assert time.monotonic() - asked < 1
    assert [jobs.of(job_id)["status"] for job_id in long] == ["running", "running", "queued", "queued"]
    for job_id in long[:2]:
        jobs.cancel(job_id)
    jobs.wait_running(long[2])
    jobs.wait_running(long[3])
    for job_id in long[2:]:
        jobs.cancel(job_id)
        jobs.wait(job_id)


def test_long_jobs_that_one_worker_cannot_take_run_on_another(jobs, workers):
    workers(OCHAQ_WORKER_CONCURRENCY="2")
    long = [jobs.start("test.steps", steps=30, seconds=15) for _ in range(2)]
    jobs.wait_running(long[0])
    assert jobs.of(long[1])["status"] == "queued"
    workers(OCHAQ_WORKER_CONCURRENCY="2")
    jobs.wait_running(long[1])
    for job_id in long:
        jobs.cancel(job_id)
        jobs.wait(job_id)


def test_a_lost_connection_to_the_broker_neither_ends_a_long_job_nor_lets_in_more_of_them(house, jobs, workers):
    door = Door(house.environment["OCHAQ_AMQP_URL"])
    workers(OCHAQ_WORKER_CONCURRENCY="2", OCHAQ_AMQP_URL=door.url)
    running, waiting = (jobs.start("test.steps", steps=20, seconds=seconds) for seconds in (14, 1))
    jobs.wait_running(running)
    door.shut()
    time.sleep(6.5)  # whoever waits two seconds longer after each try comes more than five after the broker
    door.open()
    assert jobs.wait(jobs.start("test.noop"), seconds=4.5)["status"] == "succeeded", "connected again, and soon"
    assert jobs.of(waiting)["status"] == "queued"
    assert jobs.wait(running)["attempt"] == 1
    assert jobs.wait(waiting)["attempt"] == 1
    door.close()
