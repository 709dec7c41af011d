"""The golden examples of the event types, for producers and consumers alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from ochaq_shared.bus import topology
from ochaq_shared.bus.delivery import Delivery
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.catalogue import EventType, catalogue, event_type, types_of

MINOR = {"sequence": "17", "dataschema": "https://example.com/schema", "partitionkey": None, "later": {"a": [1]}}
"""Attributes that a later minor version of the envelope might carry."""


def shape(value: Any) -> Any:
    """Keys and JSON types without the values. JSON has one kind of number; lists have the shape of their members."""
    if isinstance(value, Mapping):
        return {key: shape(part) for key, part in value.items()}
    if isinstance(value, list):
        return sorted({orjson.dumps(shape(part)) for part in value})
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    return "number"


def owned_by(service: str) -> list[str]:
    """The types that a service tells already."""
    return [row.type for row in catalogue() if row.owner == service and not row.planned]


def example(name: str) -> dict[str, Any]:
    return event_type(name).example


def assert_like_the_example(told: Mapping[str, Any]) -> None:
    """An emitted CloudEvent has the keys and types of its golden example, and its source and specversion."""
    golden = example(told["type"])
    assert shape(told) == shape(golden)
    assert (told["source"], told["specversion"]) == (golden["source"], golden["specversion"])
    assert told["subject"].partition(":")[1] == golden["subject"].partition(":")[1], "subjects are named alike"


def delivered(row: EventType, number: int = 1, **changes: Any) -> Delivery:
    """The example as a consumer gets it, from an envelope with attributes nobody here has heard of."""
    body = orjson.dumps({**row.example, **MINOR, **changes})
    return Delivery(number, CloudEvent.parse(body), body, {}, row.type)


def deliveries(queue: topology.Queue) -> Iterable[Delivery]:
    """One delivery of each type that comes through a queue."""
    return [delivered(row, number) for number, row in enumerate(types_of(queue), 1)]
