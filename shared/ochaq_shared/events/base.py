"""The envelope, the registry of event types and the base of all facts."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from enum import IntEnum
from typing import Any, ClassVar, Literal, Self, TypeVar

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ochaq_shared.ids import uuid7
from ochaq_shared.telemetry import current_request_id, current_traceparent


class Lane(IntEnum):
    """How urgent a message is on its way through the outbox. One subject always uses one lane."""

    URGENT = 0
    NORMAL = 1
    BULK = 2


class UnknownEvent(ValueError):
    """The message is no CloudEvent of ours, or its data does not fit its type's schema."""


class Fact(BaseModel):
    """What happened. Subclasses are registered with `@fact(type, source)`."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)

    event_type: ClassVar[str]
    source: ClassVar[str]
    lane: ClassVar[Lane]
    durable: ClassVar[bool]
    planned: ClassVar[bool]


_registry: dict[str, type[Fact]] = {}
FactType = TypeVar("FactType", bound=type[Fact])


def fact(
    name: str,
    *,
    source: str,
    lane: Lane = Lane.NORMAL,
    version: int = 1,
    durable: bool = True,
    planned: bool = False,
) -> Callable[[FactType], FactType]:
    """Register a fact under `ochaq.<name>.v<version>`; `source` is the CloudEvents source, e.g. `/web/students`.

    The model's docstring is the type's description, for `catalogue` and every document made from it. `durable=False` is
    a fact that is sent once over Redis and never stored; `planned=True` one whose shape is agreed but which nobody
    tells yet.
    """

    def register(model: FactType) -> FactType:
        model.event_type = f"ochaq.{name}.v{version}"
        model.source = source
        model.lane = lane
        model.durable = durable
        model.planned = planned
        if _registry.setdefault(model.event_type, model) is not model:
            raise ValueError(f"event type {model.event_type} is registered twice")
        return model

    return register


def registry() -> dict[str, type[Fact]]:
    """Every registered event type and its model."""
    return dict(_registry)


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class CloudEvent(BaseModel):
    """A CloudEvents 1.0 envelope (structured mode, JSON) with our extension attributes in lower case.

    `subject` is the aggregate's id and the partition key; `version` is the aggregate's version, for consumers that are
    idempotent by version. Unknown envelope attributes are tolerated, as the specification asks.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    specversion: Literal["1.0"] = "1.0"
    id: str = Field(default_factory=uuid7)
    type: str
    source: str
    subject: str
    time: str = Field(default_factory=_now)
    datacontenttype: Literal["application/json"] = "application/json"
    version: int = Field(ge=0)
    requestid: str = ""
    traceparent: str = ""
    data: dict[str, Any]

    @classmethod
    def of(cls, what: Fact, *, subject: str, version: int) -> Self:
        """The envelope for a fact, carrying on the ids of the story being told."""
        return cls(
            type=what.event_type,
            source=what.source,
            subject=subject,
            version=version,
            requestid=current_request_id(),
            traceparent=current_traceparent(),
            data=what.model_dump(mode="json"),
        )

    @classmethod
    def parse(cls, body: bytes | str) -> Self:
        """The envelope in a message body; raises `UnknownEvent`."""
        try:
            return cls.model_validate(orjson.loads(body))
        except (ValidationError, orjson.JSONDecodeError) as error:
            raise UnknownEvent(f"not a CloudEvent: {error}") from error

    @property
    def name(self) -> str:
        """The type without `ochaq.` and version, as browsers see it: `jobs.job.changed`."""
        return self.type.removeprefix("ochaq.").rpartition(".v")[0]

    def fact(self) -> Fact:
        """The typed fact; raises `UnknownEvent` for a type or data that is not ours."""
        model = _registry.get(self.type)
        if model is None:
            raise UnknownEvent(f"unknown event type {self.type}")
        try:
            return model.model_validate(self.data)
        except ValidationError as error:
            raise UnknownEvent(f"{self.type} does not fit its schema: {error}") from error

    def encode(self) -> bytes:
        return orjson.dumps(self.model_dump())
