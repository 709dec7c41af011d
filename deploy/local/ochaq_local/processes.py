"""What a process of an instance is, and the words the supervisor and its guard need to run it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Kind = Literal["server", "gateway", "service", "keeper"]
Probe = Literal["postgres", "redis", "amqp", "http", "tcp"]

SERVERS = ("postgres", "redis", "rabbitmq")
SERVICES = (
    "web-serve",
    "web-relay",
    "web-consume",
    "worker-work",
    "worker-beat",
    "realtime-serve",
    "realtime-consume",
    "files-serve",
    "files-relay",
    "files-consume",
    "search-serve",
    "search-index",
)
NAMES = (*SERVERS, "gateway", *SERVICES)
OBJECT_STORE = "objectstore"


@dataclass(frozen=True)
class Process:
    """One program under supervision."""

    name: str
    kind: Kind
    command: list[str]
    directory: Path  # private to this process: the guard knows its leftovers by it
    port: int
    probe: Probe = "http"
    probe_path: str = "/readyz"
    environment: dict[str, str] = field(default_factory=dict)
    stale: tuple[Path, ...] = ()
    stop_signal: str = "TERM"
    stop_seconds: int = 15
    user: str | None = None  # None: as whoever runs the supervisor

    def spec(self, instance: str, *, die_with_parent: bool = False) -> dict[str, Any]:
        """The JSON that the guard reads."""
        return {
            "name": self.name,
            "instance": instance,
            "directory": str(self.directory),
            "command": self.command,
            "environment": self.environment,
            "stale": [str(path) for path in self.stale],
            "die_with_parent": die_with_parent,
        }

    @property
    def module(self) -> str:
        """The Python package behind a service's process: `web-serve` is `python -m ochaq_web serve`."""
        return f"ochaq_{self.name.partition('-')[0]}"
