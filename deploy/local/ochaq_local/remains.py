"""Processes of this instance that live without their supervisor, and their end."""

from __future__ import annotations

import signal

from . import guard, kept
from .instance import Instance


def living(instance: Instance) -> dict[int, str]:
    """Every living process of this instance: its id, and its name where that is known."""
    found: dict[int, str] = dict.fromkeys(guard.of_instance(instance.id), "")
    for spec in _specs(instance):
        found.update({pid: str(spec["name"]) for pid in guard.leftovers(spec)})
    return found


def of_process(instance: Instance, name: str) -> list[int]:
    """The living processes behind one name, the oldest first: that one is the parent of the others."""
    specs = [spec for spec in _specs(instance) if spec["name"] == name]
    return sorted(guard.leftovers(specs[0])) if specs else []


def end(instance: Instance, seconds: float = 15.0) -> int:
    """End them all: first a polite word, then, after a while, `kill -9`. Gives back how many there were."""
    pids = living(instance)
    for pid, name in pids.items():
        guard.send(pid, signal.SIGINT if name == "postgres" else signal.SIGTERM)
    guard.end(guard.wait_gone(pids, seconds))
    # Some start children while they end (RabbitMQ its port mapper): look once more.
    guard.end(living(instance))
    return len(pids)


def _specs(instance: Instance) -> list[guard.Spec]:
    if "data" not in instance.kept:
        return []
    read = [kept.read_json(path) for path in sorted((instance.data / "run").glob("*.json"))]
    return [spec for spec in read if spec]
