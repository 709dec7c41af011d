"""The list of events for readers of the repository: `docs/events/README.md`."""

from __future__ import annotations

from ochaq_shared.events.catalogue import EventType, catalogue

HEAD = """# Events

Every fact that one service tells the others, generated from the registry (`make schemas`; do not edit). Machines read
[asyncapi.json](asyncapi.json) (AsyncAPI 3.0); schemas and examples lie in `shared/ochaq_shared/events/`. Operators see
the same at `/ops/events/`.

An event is a CloudEvent 1.0 in JSON. Undeclared data is refused, unknown attributes of the envelope are tolerated. A
changed shape is a new version, never a changed file.

| event | owner | lane | read by | |
|---|---|---|---|---|
"""


def markdown() -> str:
    """The whole page."""
    return HEAD + "".join(_row(row) for row in catalogue())


def _row(row: EventType) -> str:
    readers = ", ".join(
        f"`{reader.queue}`" if reader.queue else f"{reader.service} (Redis)" for reader in row.consumers
    )
    first = row.description.partition("\n\n")[0].replace("\n", " ")
    notes = f"{first}{' *Planned: nobody tells it yet.*' if row.planned else ''}"
    lane = row.lane.partition(":")[0] if row.durable else "ephemeral"
    return f"| `{row.type}` | {row.owner} | {lane} | {readers or '-'} | {notes} |\n"
