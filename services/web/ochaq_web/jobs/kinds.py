"""The kinds of jobs: what each takes, who may start it, which queue and executor it goes to.

Adding a kind is adding a row to `KINDS`; doors, pages and the reaper read only this table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal

from ochaq_shared.problems import FieldError, Problem
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ochaq_web.core.policy import Act


class Executor(StrEnum):
    """How the command reaches its receiver: as a Celery task, or as plain JSON for a process that is not Celery."""

    CELERY = "celery"
    PLAIN = "plain"


class Params(BaseModel):
    """What a job is started with. Strict: `true` is no number, `"10"` neither, and unknown names are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def total(self) -> int:
        """How many steps the progress counts; 0 where only the run itself can tell."""
        return 0


class GenerateStudents(Params):
    count: int = Field(default=10_000, ge=1, le=1_000_000)
    replace: bool = False

    def total(self) -> int:
        return self.count


class PurgeStudents(Params):
    pass


class RebuildSearch(Params):
    index: Literal["students"] = "students"


@dataclass(frozen=True)
class Kind:
    """One row of the table.

    `exclusive` names a group whose jobs run one after another in the order they were made: two jobs that replace the
    same demo students side by side would leave a mixture of both.
    """

    name: str
    params: type[Params]
    act: Act
    queue: str
    executor: Executor = Executor.CELERY
    exclusive: str = ""


KINDS: Mapping[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind(
            "students.generate",
            GenerateStudents,
            Act.STUDENTS_GENERATE,
            "jobs.long",
            exclusive="students.demo",
        ),
        Kind(
            "students.purge",
            PurgeStudents,
            Act.STUDENTS_PURGE,
            "jobs.short",
            exclusive="students.demo",
        ),
        Kind(
            "search.rebuild",
            RebuildSearch,
            Act.SEARCH_REBUILD,
            "search.rebuild",
            executor=Executor.PLAIN,
            exclusive="search.rebuild",
        ),
    )
}


def kind_named(name: object) -> Kind:
    """The kind, or a 422 that lists the kinds there are."""
    kind = KINDS.get(name) if isinstance(name, str) else None
    if kind is None:
        known = ", ".join(sorted(KINDS))
        raise Problem("request.invalid", errors=[FieldError("/kind", "unknown", f"One of: {known}.")])
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
