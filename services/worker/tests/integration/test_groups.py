"""Short children come with one command and share their calls; each is a job of its own all the same."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from ochaq_worker.line import Line
from ochaq_worker.web import Claim, Outcome, Web
from worker_house import House, Jobs, wait_until

NOOP: dict[str, Any] = {"kind": "test.noop", "params": {}}


class Family:
    """A parent that this test claimed in the worker's name, and the children that it makes."""

    def __init__(self, web: Web, jobs: Jobs, house: House) -> None:
        self._web, self._jobs, self._house = web, jobs, house
        self.parent = jobs.start("test.fan", children=0)
        self._claim: Claim = wait_until(lambda: web.claim(self.parent, "test:1"), 5, "the parent is ours")

    def bear(self, *children: dict[str, Any]) -> list[str]:
        """Make children and wait for them, as a rule does that raises `Waiting`."""
        ids = self._web.spawn(self._claim, list(children))
        self._web.finish(self._claim, Outcome("waiting", checkpoint={"children": len(children)}))
        return ids

    def rows(self, *columns: str) -> list[tuple[Any, ...]]:
        """Of each child, in their order."""
        names = ", ".join(columns)
        return self._house.rows(f"SELECT {names} FROM job WHERE parent_id = %s ORDER BY id", self.parent)

    def commands(self) -> list[str]:
        """The tasks of the children's commands."""
        sql = "SELECT type FROM outbox WHERE exchange = 'ochaq.commands' AND (subject = %s OR subject = ANY(%s))"
        children = [str(child) for (child,) in self.rows("id")]
        found = self._house.rows(f"{sql} ORDER BY id", self.parent, children)
        return [task for (task,) in found if task != "ochaq.jobs.run"] or [task for (task,) in found]


@pytest.fixture
def family(house: House, jobs: Jobs, signer: Any, standing: Any) -> Iterator[Family]:
    standing.gone()
    with closing(Line(house.web_url, signer, "web")) as line:
        yield Family(Web(line), jobs, house)


def test_a_hundred_short_children_come_in_groups_and_each_is_told_of_by_itself(family, jobs, workers):
    family.bear(*[NOOP] * 100)
    assert family.commands() == ["ochaq.jobs.run_group"] * 8
    workers()
    assert jobs.wait(family.parent)["status"] == "succeeded"
    assert set(family.rows("status", "attempt", "fence", "version", "awaited", "lost_leases")) == {
        ("succeeded", 1, 1, 3, False, 0)
    }
    assert jobs.of(family.parent)["result"] == {"children": 100, "succeeded": 100}
    told = {jobs.events(str(child))[-1] for (child,) in family.rows("id")}
    assert told == {"succeeded"}


def test_a_child_that_kills_its_process_is_blamed_alone(family, jobs, workers):
    children = [NOOP] * 60
    children[30] = {"kind": "test.crash", "params": {}}
    family.bear(*children)
    workers()
    assert jobs.wait(family.parent, seconds=100)["status"] == "succeeded"
    found = family.rows("kind", "status", "lost_leases", "awaited")
    assert found.pop(30) == ("test.crash", "failed", 5, False)
    assert set(found) == {("test.noop", "succeeded", 0, False)}
    assert jobs.of(family.parent)["result"] == {"children": 60, "succeeded": 59}


def test_children_that_end_in_other_ways_do_so_in_a_group_too(family, jobs, workers):
    later = {"kind": "test.transient", "params": {"times": 1, "after_seconds": 0}}
    family.bear(*[NOOP, later] * 12)
    workers()
    assert jobs.wait(family.parent)["status"] == "succeeded"
    assert family.rows("status", "attempt") == [("succeeded", 1), ("succeeded", 2)] * 12


def test_nobody_waits_for_long_behind_a_slow_neighbour(family, jobs, workers):
    children = [NOOP] * 200
    children[20] = {"kind": "test.nap", "params": {"seconds": 15}}
    ids = family.bear(*children)
    workers(OCHAQ_WORKER_CONCURRENCY="2")

    def others() -> bool:
        states = family.rows("status")
        return all(status == "succeeded" for place, (status,) in enumerate(states) if place != 20)

    wait_until(others, 12, "all the others have ended while one still sleeps")
    assert jobs.of(ids[20])["status"] == "running"
    assert {lost for (lost,) in family.rows("lost_leases")} == {0}
    jobs.cancel(family.parent)
    jobs.wait(ids[20])


def test_a_process_killed_between_the_runs_and_their_telling_does_them_again_without_blame(family, jobs, workers):
    # Ten are quick, so that the pace grows; the last of a longer round is killed while the others are not told yet.
    children = [NOOP] * 200
    children[24] = {"kind": "test.nap", "params": {"seconds": 3}}
    ids = family.bear(*children)
    workers(OCHAQ_WORKER_CONCURRENCY="2")
    jobs.wait(ids[24], lambda found: found["status"] == "running" and jobs.holder(ids[24]))
    time.sleep(0.3)
    os.kill(jobs.holder(ids[24]), signal.SIGKILL)
    assert jobs.wait(family.parent, seconds=60)["status"] == "succeeded"
    found = family.rows("status", "lost_leases")
    assert found.pop(24)[0] == "succeeded"
    assert {status for status, _ in found} == {"succeeded"}
    assert max(lost for _, lost in found) == 0
