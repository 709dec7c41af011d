"""A whole race on real processes: its laps take turns, and both sides leave the same number of rows."""

from __future__ import annotations

import os
import signal
import statistics
import time
from itertools import pairwise
from typing import Any

import httpx

OVER = ("succeeded", "failed", "cancelled")


def start(manager: httpx.Client, **params: int) -> str:
    answer = manager.post("/api/v1/jobs/", json={"kind": "lab.race", "params": params})
    assert answer.status_code == 202, answer.text
    return str(answer.json()["id"])


def wait(manager: httpx.Client, job_id: str, seconds: float = 60, holds: Any = None) -> dict[str, Any]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found: dict[str, Any] = manager.get(f"/api/v1/jobs/{job_id}/").json()
        if holds(found) if holds else found["status"] in OVER:
            return found
        time.sleep(0.05)
    raise AssertionError(f"not there within {seconds} s: {found}")


def laps(house: Any, race: str) -> list[tuple[Any, ...]]:
    """(kind, round, status, started, finished, result) of each lap, in the order in which they were made."""
    return house.rows(
        "SELECT kind, (params->>'round')::int, status, started_at, finished_at, result FROM job WHERE parent_id = %s"
        " ORDER BY id",
        race,
    )


def test_a_race_runs_its_laps_in_turn_and_tells_the_ratio(house: Any, manager: httpx.Client, workers: Any) -> None:
    # Three at a time, so that only their turns keep the laps apart.
    workers(OCHAQ_WORKER_CONCURRENCY="3")
    race = wait(manager, start(manager, rows=300, rounds=2))
    assert race["status"] == "succeeded", race["error"]
    result, ran = race["result"], laps(house, race["id"])
    assert [(kind, number) for kind, number, *_ in ran] == [
        ("lab.naive", 1), ("lab.ours", 1), ("lab.naive", 2), ("lab.ours", 2),
    ]  # fmt: skip
    for (*_, before, _), (_, _, _, after, *_) in pairwise(ran):
        assert before <= after, "two laps at once would slow each other down"
    assert all((row[-1]["rows"], row[-1]["left"]) == (300, 0) for row in ran)
    assert house.rows("SELECT count(*) FROM lab_student") == [(0,)]
    rounds = [(ran[0][-1]["seconds"], ran[1][-1]["seconds"]), (ran[2][-1]["seconds"], ran[3][-1]["seconds"])]
    assert result["rows"] == 300
    assert [(row["naive_seconds"], row["ours_seconds"]) for row in result["rounds"]] == rounds
    ratios = [naive / ours for naive, ours in rounds]
    found = result["ratio"]
    assert abs(found["median"] - statistics.median(ratios)) < 0.1
    assert (found["min"], found["max"]) == (round(min(ratios), 1), round(max(ratios), 1))
    assert found["min"] > 3, "300 rows at once are faster than 600 statements, whatever the machine"
    assert race["progress"] == {"done": 4, "total": 4}


def test_a_lap_whose_worker_is_killed_begins_anew_and_the_race_goes_on(
    house: Any, manager: httpx.Client, workers: Any
) -> None:
    victim = workers()
    race = start(manager, rows=400, rounds=1)
    end = time.monotonic() + 30
    while house.rows("SELECT count(*) FROM lab_student")[0][0] < 100:
        assert time.monotonic() < end, "the naive lap did not begin"
        time.sleep(0.01)
    os.killpg(victim.pid, signal.SIGKILL)
    workers()
    done = wait(manager, race)
    assert done["status"] == "succeeded", done["error"]
    assert [row[2] for row in laps(house, race)] == ["succeeded", "succeeded"]
    assert all((row[-1]["rows"], row[-1]["left"]) == (400, 0) for row in laps(house, race))


def test_a_race_whose_lap_failed_tells_so_and_runs_new_laps_when_tried_again(
    house: Any, manager: httpx.Client, worker: Any
) -> None:
    race = start(manager, rows=300, rounds=1)
    wait_for_laps(house, race, 2)
    lap = house.rows("SELECT id::text FROM job WHERE parent_id = %s ORDER BY id DESC LIMIT 1", race)[0][0]
    assert manager.post(f"/api/v1/jobs/{lap}/cancel/").status_code == 202
    failed = wait(manager, race)
    assert (failed["status"], failed["error"]["code"]) == ("failed", "lab.lap_failed")
    assert manager.post(f"/api/v1/jobs/{race}/retry/").status_code == 202
    assert wait(manager, race)["status"] == "succeeded"
    assert [row[2] for row in laps(house, race)] == ["succeeded", "cancelled", "succeeded", "succeeded"]


def wait_for_laps(house: Any, race: str, count: int, seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while len(laps(house, race)) < count:
        assert time.monotonic() < end, "the laps were not made"
        time.sleep(0.01)
