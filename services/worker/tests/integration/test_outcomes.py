"""How runs end that neither succeed nor simply fail: later, waiting for others, or not at all as expected."""

from __future__ import annotations

import time


def test_a_failure_that_passes_is_tried_again_after_as_long_as_was_asked(jobs, worker):
    asked = time.monotonic()
    done = jobs.wait(jobs.start("test.transient", times=2, after_seconds=0.5))
    assert (done["status"], done["attempt"], done["result"]) == ("succeeded", 3, {"attempt": 3})
    assert time.monotonic() - asked > 1


def test_a_job_waits_for_its_children_without_holding_a_slot(jobs, worker):
    done = jobs.wait(jobs.start("test.fan", children=4, seconds=0.2))
    assert (done["status"], done["result"]) == ("succeeded", {"children": 4, "succeeded": 4})
    assert done["attempt"] <= 2


def test_a_fan_of_hundreds_ends_when_the_last_child_does(house, jobs, worker):
    job_id = jobs.start("test.fan", children=600, seconds=0)
    assert jobs.wait(job_id)["result"] == {"children": 600, "succeeded": 600}
    assert house.rows("SELECT count(*) FROM job WHERE parent_id = %s", job_id) == [(600,)]


def test_the_maintenance_sweep_is_a_job_like_any_other(house, jobs, worker):
    job_id = jobs.start("maintenance.sweep")
    done = jobs.wait(job_id)
    assert done["status"] == "succeeded" and isinstance(done["result"], dict)
