"""Facts about jobs."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from ochaq_shared.events.base import Fact, Lane, fact


class Progress(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    done: int
    total: int


class _JobFact(Fact):
    id: str
    kind: str
    status: str
    progress: Progress
    result: dict[str, Any] | None
    error: dict[str, Any] | None
    owner: str
    attempt: int
    params: dict[str, Any]


@fact("jobs.job.changed", source="/web/jobs", lane=Lane.URGENT)
class JobChanged(_JobFact):
    """A job entered a new state: durable, numbered, replayed."""


@fact("jobs.job.progressed", source="/web/jobs", lane=Lane.URGENT, durable=False)
class JobProgressed(_JobFact):
    """A running job got on: ephemeral, at most four a second, never in the outbox."""
