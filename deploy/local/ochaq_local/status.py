"""`status`: every process, whether it lives and whether it does its work."""

from __future__ import annotations

import json
from typing import Any, Literal

from . import processes, readiness, remains, supervisor, table
from .instance import Instance

State = Literal["running", "stopped", "failed"]
STATES: dict[str, State] = {
    "RUNNING": "running",
    "STARTING": "running",  # it lives, but for less than a second
    "BACKOFF": "failed",
    "FATAL": "failed",
}


def rows(instance: Instance) -> list[dict[str, Any]]:
    if not instance.ports:
        return [_row(name, "stopped", None, ready=False) for name in processes.NAMES]
    known = supervisor.information(instance)
    entries = table.all_processes(instance)
    found = {process.name: _state(instance, process.name, known) for process in entries}
    ready = readiness.ready_ones(instance, [process for process in entries if found[process.name][0] == "running"])
    return [_row(process.name, *found[process.name], ready=process.name in ready) for process in entries]


def _state(instance: Instance, name: str, known: dict[str, dict[str, Any]]) -> tuple[State, int | None]:
    if name in known:
        return STATES.get(known[name]["statename"], "stopped"), known[name]["pid"] or None
    if known:
        return "stopped", None
    # The supervisor is gone, but what it started may live on.
    alive = remains.of_process(instance, name)
    return ("running", alive[0]) if alive else ("stopped", None)


def _row(name: str, state: State, pid: int | None, *, ready: bool) -> dict[str, Any]:
    return {"name": name, "pid": pid, "state": state, "ready": ready}


def status(instance: Instance, form: str) -> None:
    found = rows(instance)
    if form == "json":
        print(json.dumps(found))
        return
    for row in found:
        print(f"{row['name']:<18} {row['state']:<8} {'ready' if row['ready'] else '-':<6} {row['pid'] or ''}")
    if instance.done.exists() and not supervisor.answers(instance):
        print("\nThe supervisor is gone: `make up` starts everything again.")
