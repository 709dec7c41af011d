"""Where the operator command finds a running Ochaq: its environment, or the file that `make up` wrote."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ENV_FILE = Path(".local") / "ochaq.env"


def setting(name: str) -> str:
    """A setting by its full name, from the environment or `.local/ochaq.env`; ends with a sentence when missing."""
    value = os.environ.get(name) or _from_file().get(name)
    if not value:
        sys.exit(f"ochaq: {name} is not set and {ENV_FILE} does not hold it; run `make up` first, or set it.")
    return value


def _from_file() -> dict[str, str]:
    path = Path(os.environ.get("OCHAQ_LOCAL", ".local")) / "ochaq.env"
    if not path.exists():
        return {}
    lines = (line.partition("=") for line in path.read_text().splitlines() if "=" in line and not line.startswith("#"))
    return {name.strip(): value.strip().strip("'\"") for name, _, value in lines}
