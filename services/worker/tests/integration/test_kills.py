"""What dies, and what becomes of the jobs: a pool process, the main process, the whole tree, by -9 and by SIGTERM."""

from __future__ import annotations

import os
import signal
import time

from worker_house import children_of, gone, wait_until


def test_a_pool_process_killed_in_mid_job_is_replaced_and_its_job_goes_on_from_the_checkpoint(jobs, worker):
    job_id = jobs.start("test.steps", steps=40, seconds=4)
    jobs.wait_running(job_id, done=5)
    victim = jobs.holder(job_id)
    os.kill(victim, signal.SIGKILL)
    killed = time.monotonic()
    jobs.wait(job_id, lambda found: found["status"] == "running" and jobs.holder(job_id) != victim, seconds=5)
    assert time.monotonic() - killed < 5, "handed back by its worker, not by the lease's end"
    done = jobs.wait(job_id)
    assert (done["status"], done["attempt"]) == ("succeeded", 2)
    assert done["result"]["from"] >= 5
    assert worker.poll() is None


def test_the_effects_of_a_job_happen_once_though_its_process_was_killed(house, jobs, worker):
    job_id = jobs.start("students.generate", count=60_000, replace=True)
    jobs.wait_running(job_id, done=10_000)
    os.kill(jobs.holder(job_id), signal.SIGKILL)
    assert jobs.wait(job_id)["status"] == "succeeded"
    assert house.rows("SELECT count(*), count(DISTINCT email) FROM student WHERE demo") == [(60_000, 60_000)]
    jobs.wait(jobs.start("students.purge"))


def test_the_end_of_a_job_is_told_though_web_is_away_in_that_moment(house, jobs, worker):
    job_id = jobs.start("test.steps", steps=8, seconds=2)
    jobs.wait_running(job_id, done=2)
    left = time.monotonic()
    with house.web_away():
        time.sleep(2)  # the job ends in the middle of it; nobody can be asked when
    away = time.monotonic() - left
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and jobs.events(job_id).count("succeeded") == 1
    if away < 8:  # on a machine so slow that web needs longer, the lease may run out meanwhile
        assert done["attempt"] == 1


def test_the_main_process_killed_takes_its_pool_along_and_another_worker_goes_on(jobs, workers):
    main = workers()
    job_id = jobs.start("test.steps", steps=40, seconds=4)
    jobs.wait_running(job_id, done=5)
    pool = children_of(main.pid)
    os.kill(main.pid, signal.SIGKILL)
    killed = time.monotonic()
    main.wait(5)
    wait_until(lambda: all(map(gone, pool)), 3, "the pool is gone with its main process")
    workers()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, seconds=15)
    assert time.monotonic() - killed < 8, "handed back by the next worker, not by the lease's end"
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and done["result"]["from"] >= 5


def test_a_whole_worker_killed_is_taken_over_by_the_one_beside_it(house, jobs, workers):
    pair = [workers(), workers()]
    job_id = jobs.start("test.steps", steps=40, seconds=4)
    jobs.wait_running(job_id, done=5)
    victim = next(worker for worker in pair if jobs.holder(job_id) in children_of(worker.pid))
    house.stop(victim)
    killed = time.monotonic()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, seconds=15)
    assert time.monotonic() - killed < 5, "handed back by the other one, not by the lease's end"
    assert jobs.wait(job_id)["status"] == "succeeded"


def test_where_nobody_can_see_who_died_the_lease_runs_out(house, jobs, workers, tmp_path):
    victim = workers(OCHAQ_WORKER_SLIPS_DIR=str(tmp_path))  # as on another machine
    job_id = jobs.start("test.steps", steps=40, seconds=4)
    jobs.wait_running(job_id, done=5)
    house.stop(victim)
    killed = time.monotonic()
    workers()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, seconds=20)
    assert 5 < time.monotonic() - killed < 12  # a lease of 9 s since the last heartbeat, and the reaper
    assert jobs.wait(job_id)["status"] == "succeeded"


def test_a_job_that_crashes_its_process_fails_in_the_end_and_its_neighbours_are_unharmed(jobs, workers):
    main = workers(OCHAQ_WORKER_CONCURRENCY="3")
    neighbour = jobs.start("test.steps", steps=20, seconds=6)
    jobs.wait_running(neighbour)
    poison = jobs.start("test.crash")
    good = [jobs.start("test.noop") for _ in range(10)]
    asked = time.monotonic()
    assert [jobs.wait(job_id, seconds=10)["status"] for job_id in good] == ["succeeded"] * 10
    assert time.monotonic() - asked < 10
    done = jobs.wait(neighbour)
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    dead = jobs.wait(poison, seconds=60)
    assert dead["status"] == "failed" and dead["error"]["code"] == "jobs.worker_lost"
    assert main.poll() is None


def test_sigterm_lets_a_short_job_end_and_the_worker_follows_it_within_two_seconds(jobs, workers):
    main = workers()
    job_id = jobs.start("test.steps", steps=8, seconds=2)
    jobs.wait_running(job_id)
    main.send_signal(signal.SIGTERM)
    done = jobs.wait(job_id)
    ended = time.monotonic()
    assert main.wait(10) == 0
    assert time.monotonic() - ended < 2
    assert (done["status"], done["attempt"]) == ("succeeded", 1)
    assert jobs.events(job_id) == ["queued", "claimed", "succeeded"]


def test_sigterm_to_the_whole_group_does_not_take_the_job_from_its_process(house, jobs, workers):
    main = workers()
    job_id = jobs.start("test.steps", steps=4, seconds=2)
    jobs.wait_running(job_id)
    os.killpg(main.pid, signal.SIGTERM)
    assert jobs.wait(job_id)["attempt"] == 1
    assert main.wait(10) == 0


def test_an_idle_worker_leaves_at_once(jobs, workers):
    main = workers()
    asked = time.monotonic()
    main.send_signal(signal.SIGTERM)
    assert main.wait(10) == 0
    assert time.monotonic() - asked < 3


def test_what_cannot_end_in_time_is_handed_back_and_goes_on_elsewhere_at_once(jobs, workers):
    leaving = workers(OCHAQ_WORKER_LEAVE_SECONDS="1")
    job_id = jobs.start("test.steps", steps=60, seconds=12)
    jobs.wait_running(job_id, done=5)
    workers()
    leaving.send_signal(signal.SIGTERM)
    asked = time.monotonic()
    jobs.wait(job_id, lambda found: found["attempt"] == 2, seconds=8)
    assert time.monotonic() - asked < 4, "handed back, not left to the lease"
    assert leaving.wait(10) == 0
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and done["result"]["from"] >= 5
