"""`worker-beat`: fires what is due, once, whatever number of them runs and whatever web does meanwhile."""

from __future__ import annotations

import signal
import time

import httpx
import pytest
from free_ports import free_port
from worker_house import answers, wait_until

MAKE_SCHEDULE = """
from ochaq_web.jobs.models import JobSchedule
JobSchedule.objects.update_or_create(
    name="every-second", defaults={"title": "t", "kind": "test.noop", "params": {}, "every_seconds": 1}
)
"""


@pytest.fixture(scope="module")
def schedule(house):
    house.run("manage", "shell", "-c", MAKE_SCHEDULE)
    yield "every-second"
    house.rows("DELETE FROM job_schedule_slot RETURNING id")
    house.rows("DELETE FROM job_schedule WHERE name = 'every-second' RETURNING name")


def slots(house) -> int:
    return house.rows(
        "SELECT count(*) FROM job_schedule_slot s JOIN job_schedule j ON j.id = s.schedule_id"
        " WHERE j.name = 'every-second'"
    )[0][0]


def started(house) -> int:
    return house.rows("SELECT count(*) FROM job_schedule_slot WHERE outcome = 'started' AND job_id IS NOT NULL")[0][0]


def made(house) -> int:
    return house.rows("SELECT count(*) FROM job WHERE owner_id IS NULL AND parent_id IS NULL")[0][0]


def test_two_clocks_fire_each_slot_once(house, worker, schedule):
    # A worker, because a slot starts nothing while the job of the one before still runs.
    before = started(house), made(house)
    beats = [house.start("ochaq_worker", "beat") for _ in range(2)]
    wait_until(lambda: started(house) >= before[0] + 4, 20, "four slots")
    for beat in beats:
        beat.send_signal(signal.SIGTERM)
        assert beat.wait(5) == 0
    assert made(house) - before[1] == started(house) - before[0]


def test_a_clock_killed_costs_no_slot_that_another_one_fires(house, schedule):
    first, second = (house.start("ochaq_worker", "beat") for _ in range(2))
    house.stop(first)
    before = slots(house)
    wait_until(lambda: slots(house) >= before + 2, 5, "the other one goes on")
    house.stop(second, signal.SIGTERM)


def test_a_clock_outlives_web_and_says_that_it_is_not_ready(house, schedule):
    port = free_port()
    beat = house.start("ochaq_worker", "beat", port=port)
    with house.web_away():
        wait_until(lambda: not answers(f"http://127.0.0.1:{port}/readyz"), 15, "not ready without web")
        assert httpx.get(f"http://127.0.0.1:{port}/livez", trust_env=False).status_code == 200
        assert beat.poll() is None
    before, asked = slots(house), time.monotonic()
    wait_until(lambda: slots(house) > before and answers(f"http://127.0.0.1:{port}/readyz"), 5, "it goes on")
    assert time.monotonic() - asked < 5
    house.stop(beat, signal.SIGTERM)
