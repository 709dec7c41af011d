"""The lab's race: the lessons' way of the heavy job beside ours, lap after lap, on a table of web's lab.

A race starts its laps (naive, ours, naive, ours, …) as jobs of their own, which take turns, and compares their times
when the last is over. Of the naive lap only the loop itself counts, measured in web where it runs. Of ours everything
counts that a real job does: making the rows, sending them, checking them, COPY and DELETE, measured here. So whatever
is unfair in the comparison is unfair to us.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median
from typing import Any

from ochaq_shared.http import UpstreamProblem

from ochaq_worker.generation import chunk_body
from ochaq_worker.runs import JobFailed, Run, Transient, Waiting

NDJSON = "application/x-ndjson"
BEGINNINGS = 3  # a call that had to be repeated may have worked twice: then the lap begins anew
WAYS = ("naive", "ours")

Lap = Callable[[Run, int], dict[str, Any]]


def lab_race(run: Run) -> dict[str, Any]:
    """`{rows, rounds}` → `{rows, rounds: [{naive_seconds, ours_seconds}], ratio: {median, min, max}}`."""
    kept = run.claim.checkpoint or {"attempt": 0, "laps": []}
    laps = [child for child in run.claim.children if child["id"] in kept["laps"]]
    well = bool(laps) and all(lap["status"] == "succeeded" for lap in laps)
    if not laps or not (well or run.claim.attempt == kept["attempt"] + 1):
        # A race that somebody tries again after a lap had failed runs new laps; the old ones stay as they ended.
        raise Waiting({"attempt": run.claim.attempt, "laps": run.spawn(_laps(run, series=kept["attempt"]))})
    if not well:
        raise JobFailed("lab.lap_failed", "A lap did not end well, so there is nothing to compare.")
    return compared(int(run.claim.params["rows"]), laps)


def lab_naive(run: Run) -> dict[str, Any]:
    """`{rows, round, race}` → `{rows, left, seconds}`: Faker and `save()` row by row, then `delete()` one by one."""
    return _anew(run, _naive)


def lab_ours(run: Run) -> dict[str, Any]:
    """`{rows, round, race}` → `{rows, left, seconds}`: a chunk as NDJSON, one COPY, one DELETE."""
    return _anew(run, _ours)


def compared(rows: int, laps: list[dict[str, Any]]) -> dict[str, Any]:
    """The result of a race; raises `JobFailed` when the two sides did not do the same."""
    done = {(lap["kind"].partition(".")[2], lap["result"]["round"]): lap["result"] for lap in laps}
    if any((lap["rows"], lap["left"]) != (rows, 0) for lap in done.values()):
        raise JobFailed("lab.rows_differ", "The two sides did not make and remove the same number of rows.")
    numbers = sorted({number for _, number in done})
    rounds = [{f"{way}_seconds": done[way, number]["seconds"] for way in WAYS} for number in numbers]
    ratios = [row["naive_seconds"] / max(row["ours_seconds"], 1e-6) for row in rounds]
    ratio = {"median": median(ratios), "min": min(ratios), "max": max(ratios)}
    return {"rows": rows, "rounds": rounds, "ratio": {name: round(value, 1) for name, value in ratio.items()}}


def _laps(run: Run, series: int) -> list[dict[str, Any]]:
    """A B A B: whatever drifts while a race runs (a cache, a neighbour) meets both sides.

    `series` stays the same until its laps are known to web, so a worker that dies in between makes them once.
    """
    rows, rounds = int(run.claim.params["rows"]), int(run.claim.params["rounds"])
    race = run.claim.id
    return [
        {
            "kind": f"lab.{way}",
            "params": {"rows": rows, "round": number, "race": race},
            "dedupe_key": f"lab:{race}:{series}:{number}:{way}",
        }
        for number in range(1, rounds + 1)
        for way in WAYS
    ]


def _anew(run: Run, lap: Lap) -> dict[str, Any]:
    """Run a lap on an empty table; when it was disturbed, once more from the start."""
    rows = int(run.claim.params["rows"])
    for _ in range(BEGINNINGS):
        try:
            _call(run, "clear")
            return {**lap(run, rows), "round": int(run.claim.params["round"])}
        except UpstreamProblem as problem:
            if problem.code != "lab.disturbed":
                raise
    raise Transient("lab.disturbed", "Somebody else was at the lab's table.")


def _naive(run: Run, rows: int) -> dict[str, Any]:
    have, seconds = 0, 0.0
    while have < rows:
        answer = _call(run, "save", have=have, rows=rows)
        have, seconds = int(answer["rows"]), seconds + float(answer["seconds"])
        run.advance(have, 2 * rows)
    made = have = _count(run)
    while have:
        answer = _call(run, "delete", have=have)
        have, seconds = int(answer["rows"]), seconds + float(answer["seconds"])
        run.advance(2 * rows - have, 2 * rows)
    return {"rows": made, "left": _count(run), "seconds": round(seconds, 6)}


def _ours(run: Run, rows: int) -> dict[str, Any]:
    began = time.perf_counter()
    body = chunk_body(run.claim.id, 0, 0, rows)
    params = {"job": run.claim.id, "fence": run.claim.fence, "have": 0}
    run.web.fenced("/internal/v1/lab/batches", params=params, content=body, content_type=NDJSON)
    filled = time.perf_counter() - began
    made = _count(run)
    run.check()
    began = time.perf_counter()
    _call(run, "purges")
    seconds = filled + time.perf_counter() - began
    run.advance(rows, rows)
    return {"rows": made, "left": _count(run), "seconds": round(seconds, 6)}


def _count(run: Run) -> int:
    """What really lies in the table; asked outside of the time that is measured."""
    return int(_call(run, "count")["rows"])


def _call(run: Run, word: str, **body: int) -> dict[str, Any]:
    return run.web.fenced(f"/internal/v1/lab/{word}", json={"job": run.claim.id, "fence": run.claim.fence, **body})
