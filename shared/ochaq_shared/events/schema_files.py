"""What is committed about events: schemas, the AsyncAPI document and the list for readers.

`make schemas` writes them, tests guard them. A schema file is a promise: one whose shape differs from its model is
never overwritten, since a changed shape is a new version; titles and descriptions are no shape and may be bettered.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ochaq_shared.events import asyncapi, listing
from ochaq_shared.events.catalogue import catalogue

DIRECTORY = Path(__file__).parent / "schemas"
DOCUMENTS = Path(__file__).resolve().parents[3] / "docs" / "events"
WORDS = ("title", "description")


class ShapeChanged(Exception):
    """A committed schema and its model say different things: give the fact a new version instead."""


def dumped(document: Any) -> str:
    """JSON as it is committed."""
    return json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def render() -> dict[str, str]:
    """File name → JSON Schema, for every registered event type."""
    return {f"{row.type}.json": dumped(row.schema) for row in catalogue()}


def documents() -> dict[str, str]:
    """File name → text of what `docs/events/` holds."""
    return {
        "asyncapi.json": json.dumps(asyncapi.document(), indent=2, ensure_ascii=False) + "\n",
        "README.md": listing.markdown(),
    }


def shape(schema: Any, *, names: bool = False) -> Any:
    """A schema without its words. Below `properties` and `$defs` keys are names, so `title` there is a field."""
    if isinstance(schema, list):
        return [shape(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if names or key not in WORDS}
    return {key: shape(part, names=not names and key in ("properties", "$defs")) for key, part in kept.items()}


def write() -> None:
    """Write everything; raises `ShapeChanged` when a committed schema would say something else."""
    for name, text in render().items():
        path = DIRECTORY / name
        if path.exists() and shape(json.loads(path.read_text())) != shape(json.loads(text)):
            raise ShapeChanged(f"{name}: a changed shape is a new version")
        path.write_text(text)
    DOCUMENTS.mkdir(parents=True, exist_ok=True)
    for name, text in documents().items():
        (DOCUMENTS / name).write_text(text)


if __name__ == "__main__":
    write()
