"""The committed JSON Schema of every event type: written by `make schemas`, guarded by a test."""

from __future__ import annotations

import json
from pathlib import Path

from ochaq_shared.events import registry

DIRECTORY = Path(__file__).parent / "schemas"


def render() -> dict[str, str]:
    """File name → JSON text, for every registered event type."""
    return {
        f"{name}.json": json.dumps(model.model_json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        for name, model in sorted(registry().items())
    }


def write() -> None:
    """Write the schemas of new event types. An existing file is left alone: a changed schema is a new version."""
    for name, text in render().items():
        path = DIRECTORY / name
        if not path.exists():
            path.write_text(text)


if __name__ == "__main__":
    write()
