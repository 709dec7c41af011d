"""Reading races: what the page shows of them."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from ochaq_web.jobs import selectors as jobs

RACE = "lab.race"


def races_recent(limit: int) -> list[dict[str, Any]]:
    """Everybody's races, the newest first: a measurement is nobody's secret."""
    return [race_shown(job) for job in jobs.jobs_of_kind(RACE)[:limit]]


def race_shown(job: Any) -> dict[str, Any]:
    """One race as its job tells it."""
    rows = (job.result or {}).get("rows", job.params.get("rows"))
    return {"job": jobs.job_row(job), "rows": rows, "rounds": rounds_of(job.result), "ratio": _ratio(job.result)}


def race_named(race_id: uuid.UUID) -> dict[str, Any] | None:
    """One race, or nothing where there is none of that id."""
    job = jobs.jobs_of_kind(RACE).filter(pk=race_id).first()
    return race_shown(job) if job else None


def laps_of(race_id: uuid.UUID) -> list[dict[str, Any]]:
    """The laps of a race as they stand, in the order in which they run."""
    return [jobs.job_row(lap) for lap in jobs.job_children(race_id)]


def rounds_of(result: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """The measured rounds, numbered, each with its own ratio."""
    found = (result or {}).get("rounds", [])
    return [
        {**row, "number": number, "ratio": round(row["naive_seconds"] / max(row["ours_seconds"], 1e-6), 1)}
        for number, row in enumerate(found, 1)
    ]


def _ratio(result: Mapping[str, Any] | None) -> dict[str, float] | None:
    return (result or {}).get("ratio")
