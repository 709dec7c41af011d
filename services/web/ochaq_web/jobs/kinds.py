"""The kinds of jobs: what each takes, who may start it, which queue and executor it goes to.

Adding a kind is adding a row to a table here and a rule in the worker; doors, pages and the reaper read only `KINDS`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ochaq_shared.problems import FieldError, Problem
from pydantic import ValidationError

from ochaq_web.config.environment import environment
from ochaq_web.core.policy import Act
from ochaq_web.jobs import params
from ochaq_web.jobs.params import Params


class Executor(StrEnum):
    """How the command reaches its receiver: as a Celery task, or as plain JSON for a process that is not Celery."""

    CELERY = "celery"
    PLAIN = "plain"


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    `exclusive` names a group whose jobs run one after another in the order they were made: two jobs that replace the
    same demo students side by side would leave a mixture of both. `deadline_seconds` is how long one run may last,
    whatever its heartbeats say; `max_attempts` how many transient failures, or lost workers, without getting on. A
    `child_only` kind is started by other jobs alone.
    """

    name: str
    params: type[Params]
    act: Act
    queue: str
    executor: Executor = Executor.CELERY
    exclusive: str = ""
    deadline_seconds: int = 4 * 3600
    max_attempts: int = 5
    child_only: bool = False


PRODUCT_KINDS = (
    Kind("students.generate", params.GenerateStudents, Act.STUDENTS_GENERATE, "jobs.long", exclusive="students.demo"),
    Kind("students.purge", params.Nothing, Act.STUDENTS_PURGE, "jobs.short", exclusive="students.demo"),
    Kind(
        "search.rebuild",
        params.RebuildSearch,
        Act.SEARCH_REBUILD,
        "search.rebuild",
        executor=Executor.PLAIN,
        exclusive="search.rebuild",
    ),
    Kind("maintenance.sweep", params.Nothing, Act.JOBS_OPERATE, "jobs.short", deadline_seconds=600),
    # The race itself only starts its laps and waits; the laps take turns, since each would slow the other down.
    Kind("lab.race", params.Race, Act.LAB_RUN, "jobs.short", deadline_seconds=900),
    Kind(
        "lab.naive", params.NaiveLap, Act.LAB_RUN, "jobs.long", exclusive="lab", deadline_seconds=900, child_only=True
    ),
    Kind("lab.ours", params.Lap, Act.LAB_RUN, "jobs.long", exclusive="lab", deadline_seconds=900, child_only=True),
)

# Work that misbehaves on purpose, for the tests that kill things.
TEST_KINDS = (
    Kind("test.noop", params.Nothing, Act.JOBS_USE, "jobs.short", deadline_seconds=60),
    Kind("test.steps", params.Steps, Act.JOBS_USE, "jobs.long"),
    Kind("test.nap", params.Nap, Act.JOBS_USE, "jobs.short", deadline_seconds=600),
    Kind("test.transient", params.Transient, Act.JOBS_USE, "jobs.short", deadline_seconds=60),
    Kind("test.stubborn", params.Stubborn, Act.JOBS_USE, "jobs.long"),
    Kind("test.crash", params.Nothing, Act.JOBS_USE, "jobs.short", deadline_seconds=60),
    Kind("test.hog", params.Hog, Act.JOBS_USE, "jobs.long"),
    Kind("test.fan", params.Fan, Act.JOBS_USE, "jobs.short"),
)


def kinds_of(mode: str) -> dict[str, Kind]:
    """The kinds that a site in this mode knows."""
    rows = (*PRODUCT_KINDS, *TEST_KINDS) if mode == "test" else PRODUCT_KINDS
    return {row.name: row for row in rows}


KINDS: Mapping[str, Kind] = kinds_of(environment().mode)


def kind_named(name: object) -> Kind:
    """The kind, or a 422 that lists the kinds there are."""
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise Problem("request.invalid", errors=[FieldError("/kind", "unknown", f"One of: {known}.")])
    return kind


def kind_startable(name: object) -> Kind:
    """As `kind_named`, for people and schedules: what only runs as a part of another job is refused."""
    kind = kind_named(name)
    if kind.child_only:
        raise Problem("request.invalid", errors=[FieldError("/kind", "child_only", "Only other jobs start this kind.")])
    return kind


def params_of(kind: Kind, raw: object) -> Params:
    """Validated parameters with their defaults filled in, or a 422 with a pointer to each wrong one."""
    try:
        return kind.params.model_validate(raw)
    except ValidationError as error:
        errors = [FieldError(_pointer(item["loc"]), item["type"], item["msg"]) for item in error.errors()]
        raise Problem("request.invalid", errors=errors) from error


def _pointer(location: tuple[Any, ...]) -> str:
    return "/".join(["/params", *(str(part) for part in location)])
