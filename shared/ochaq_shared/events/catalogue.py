"""Every event type with all that is known of it: who tells it, who hears it, how long it is kept, an example.

Nothing is written down twice: owner and lane come from the fact, consumers from the topology's bindings, the schema
from the model, the example from `events/examples/`. The AsyncAPI document, `docs/events/` and the operators' page read
this.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import orjson

from ochaq_shared import live, outbox_partitions
from ochaq_shared.bus import topology
from ochaq_shared.events import registry
from ochaq_shared.events.base import CloudEvent, Fact, Lane
from ochaq_shared.outbox import EVENTS_EXCHANGE

EXAMPLES = Path(__file__).parent / "examples"

# The first part of a source names who tells it. An operator's deed is told by the command `ochaq` or by web.
OWNERS = {"web": "web", "files": "files", "search": "search", "ops": "web"}

LANES = {
    Lane.URGENT: "urgent: goes before everything else",
    Lane.NORMAL: "normal",
    Lane.BULK: "bulk: gives way to everything else",
}

PERSONAL, SHARED = "its owner's live stream", "the students' live stream"
STREAMS = {PERSONAL: live.PERSONAL_LENGTH, SHARED: live.SHARED_LENGTH}
# Where the projector puts the events of a domain; a test of realtime's compares.
STREAM_OF = {"jobs": PERSONAL, "files": PERSONAL, "students": SHARED}


@dataclass(frozen=True)
class Consumer:
    """One reader of a type: the service, and the queue it reads, or nothing where it listens to Redis."""

    service: str
    queue: str


@dataclass(frozen=True)
class Field:
    """One field of a type's data, for people: `path` is dotted, `type` is JSON's word for it."""

    path: str
    type: str
    required: bool
    nullable: bool


@dataclass(frozen=True)
class EventType:
    """One row of the catalogue."""

    model: type[Fact]

    @property
    def type(self) -> str:
        return self.model.event_type

    @property
    def name(self) -> str:
        """The type without `ochaq.` and version."""
        return self.type.removeprefix("ochaq.").rpartition(".v")[0]

    @property
    def source(self) -> str:
        return self.model.source

    @property
    def owner(self) -> str:
        """The service that tells it; raises KeyError for a source nobody answers for."""
        return OWNERS[self.source.split("/")[1]]

    @property
    def description(self) -> str:
        """The model's own docstring; empty when it has none (a test refuses that)."""
        return inspect.cleandoc(vars(self.model).get("__doc__") or "")

    @property
    def lane(self) -> str:
        return LANES[self.model.lane]

    @property
    def durable(self) -> bool:
        return self.model.durable

    @property
    def planned(self) -> bool:
        return self.model.planned

    @property
    def retention(self) -> str:
        """How long it can be had again, in words."""
        if not self.durable:
            return "not kept: sent once over Redis to the sockets that are open"
        days = outbox_partitions.KEEP_DAYS
        kept = f"{days} days in the outbox of {self.owner}"
        if self.owner == "search":
            # The service has no database: what it tells waits in memory until the broker has it.
            kept = "in the queues until handled; its result stays in the job"
        if self.stream:
            kept += f"; the last {STREAMS[self.stream]} of {self.stream}"
        return kept

    @property
    def stream(self) -> str:
        """The live stream in which browsers find it again; empty for what no browser is shown."""
        return STREAM_OF.get(self.name.partition(".")[0], "") if self.durable else ""

    @property
    def consumers(self) -> list[Consumer]:
        """Who reads it, in the topology's order."""
        if not self.durable:
            return [Consumer("realtime", "")]
        return [Consumer(service_of(queue), queue.name) for queue in queues_of(self.type)]

    @property
    def schema(self) -> dict[str, Any]:
        return self.model.model_json_schema()

    @property
    def example(self) -> dict[str, Any]:
        """A whole CloudEvent as it travels; raises FileNotFoundError when none is committed."""
        found: dict[str, Any] = orjson.loads((EXAMPLES / f"{self.type}.json").read_bytes())
        return found

    @property
    def fields(self) -> list[Field]:
        schema = self.schema
        return list(_fields(schema, schema.get("$defs", {}), ""))


def catalogue() -> list[EventType]:
    """Every registered type, in the order of names."""
    return [EventType(model) for _, model in sorted(registry().items())]


def event_type(name: str) -> EventType:
    """One row, by full type; raises KeyError."""
    return EventType(registry()[name])


def queues_of(name: str) -> list[topology.Queue]:
    """The queues whose bindings match an event type."""
    events = [queue for queue in topology.QUEUES if queue.exchange == EVENTS_EXCHANGE]
    return [queue for queue in events if any(matches(binding, name) for binding in queue.bindings)]


def types_of(queue: topology.Queue) -> list[EventType]:
    """The event types that really come through a queue: ephemeral facts match its bindings but never go there."""
    return [row for row in catalogue() if row.durable and queue in queues_of(row.type)]


def service_of(queue: topology.Queue) -> str:
    """Who reads a queue: `q.<service>.<group>` says it, and the job queues are the worker's."""
    return queue.name.split(".")[1] if queue.name.startswith("q.") else "worker"


@cache
def _pattern(binding: str) -> re.Pattern[str]:
    """AMQP's topic words: `*` is one word, `#` any number of them, none included."""
    found = ""
    for word in binding.split("."):
        found += r"(\.[^.]+)*" if word == "#" else r"\.[^.]+" if word == "*" else re.escape(f".{word}")
    return re.compile(found)


def matches(binding: str, routing_key: str) -> bool:
    """Whether a topic exchange sends a message with this routing key along this binding."""
    return _pattern(binding).fullmatch(f".{routing_key}") is not None


def envelope_schema() -> dict[str, Any]:
    """The JSON Schema of the envelope. Attributes it does not name are allowed, as CloudEvents asks."""
    schema = CloudEvent.model_json_schema()
    # The model fills these in; a message on the wire always has them.
    return {**schema, "required": ["specversion", "id", "type", "source", "subject", "time", "version", "data"]}


def _fields(schema: dict[str, Any], defs: dict[str, Any], prefix: str) -> Iterator[Field]:
    required = set(schema.get("required", ()))
    for name, found in schema.get("properties", {}).items():
        kinds = [kind for kind in found.get("anyOf", [found]) if kind.get("type") != "null"]
        nullable = len(kinds) < len(found.get("anyOf", [found]))
        resolved = [defs[kind["$ref"].rpartition("/")[2]] if "$ref" in kind else kind for kind in kinds]
        word = " or ".join(_word(kind) for kind in resolved)
        yield Field(f"{prefix}{name}", word, name in required, nullable)
        for kind in resolved:
            inner = kind.get("items", kind)
            if "$ref" in inner:
                inner = defs[inner["$ref"].rpartition("/")[2]]
            yield from _fields(inner, defs, f"{prefix}{name}{'[]' if 'items' in kind else ''}.")


def _word(kind: dict[str, Any]) -> str:
    if "enum" in kind:
        return " | ".join(str(value) for value in kind["enum"])
    if "const" in kind:
        return str(kind["const"])
    if kind.get("type") == "array":
        return f"list of {kind.get('items', {}).get('type', 'object')}"
    return str(kind.get("type", "any"))
