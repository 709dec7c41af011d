"""What each kind of job is started with."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Params(BaseModel):
    """What a job is started with. Strict: `true` is no number, `"10"` neither, and unknown names are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    def total(self) -> int:
        """How many steps the progress counts; 0 where only the run itself can tell."""
        return 0


class Nothing(Params):
    """For kinds that need not be told anything."""


class GenerateStudents(Params):
    count: int = Field(default=10_000, ge=1, le=1_000_000)
    replace: bool = False

    def total(self) -> int:
        return self.count


class RebuildSearch(Params):
    index: Literal["students"] = "students"


class Race(Params):
    rows: int = Field(default=500, ge=100, le=2000)
    rounds: int = Field(default=3, ge=1, le=5)

    def total(self) -> int:
        return 2 * self.rounds


class Lap(Params):
    """One side's turn in one round of a race."""

    rows: int = Field(ge=100, le=2000)
    round: int = Field(ge=1, le=5)
    race: str = Field(min_length=1, max_length=64)

    def total(self) -> int:
        return self.rows


class NaiveLap(Lap):
    def total(self) -> int:
        return 2 * self.rows  # made one by one, then removed one by one


class Steps(Params):
    steps: int = Field(default=10, ge=1, le=100_000)
    seconds: float = Field(default=1.0, ge=0, le=14_400)

    def total(self) -> int:
        return self.steps


class Transient(Params):
    times: int = Field(default=2, ge=0, le=100)
    after_seconds: float | None = Field(default=None, ge=0, le=3600)


class Nap(Params):
    seconds: float = Field(default=1.0, ge=0, le=600)


class Stubborn(Params):
    seconds: float = Field(default=60.0, ge=0, le=3600)


class Hog(Params):
    megabytes: int = Field(default=1000, ge=1, le=100_000)


class Fan(Params):
    children: int = Field(default=3, ge=0, le=1000)
    seconds: float = Field(default=0.0, ge=0, le=600)

    def total(self) -> int:
        return self.children
