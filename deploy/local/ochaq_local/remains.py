"""Processes of this instance that live without their supervisor, and their end."""

from __future__ import annotations

import math
import signal
from pathlib import Path

from . import guard, kept, processes
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
    return sorted(guard.leftovers(specs[0]), key=_began) if specs else []


def _began(pid: int) -> float:
    """When it started, in the kernel's ticks: ids start again from below, so a child's may be the lower one."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return math.inf  # gone meanwhile
    return float(stat.rpartition(")")[2].split()[19])


def end(instance: Instance, seconds: float = 15.0) -> int:
    """End them all: first a polite word, then, after a while, `kill -9`. Gives back how many there were.

    Services before servers, as the supervisor does it: what they have in hand still finds its database.
    """
    pids = living(instance)
    servers = {pid for pid, name in pids.items() if name in (*processes.SERVERS, processes.OBJECT_STORE)}
    for chosen in (pids.keys() - servers, servers):
        still = chosen & living(instance).keys()
        for pid in still:
            guard.send(pid, signal.SIGINT if pids[pid] == "postgres" else signal.SIGTERM)
        guard.end(guard.wait_gone(still, seconds))
    # Some start children while they end (RabbitMQ its port mapper): look once more.
    guard.end(living(instance))
    return len(pids)


def _specs(instance: Instance) -> list[guard.Spec]:
    if "data" not in instance.kept:
        return []
    read = [kept.read_json(path) for path in sorted((instance.data / "run").glob("*.json"))]
    return [spec for spec in read if spec]
