"""Other settings for some processes, for a while: as an operator would change them and restart."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ochaq_local import supervisor, table

from rig.processes import Processes


@contextmanager
def settings(processes: Processes, changes: Mapping[str, Mapping[str, str]]) -> Iterator[None]:
    """Restart processes with changed settings, and with their own again in the end."""
    before = {name: _file(processes, name).read_text() for name in changes}
    changed = {name: json.loads(text) for name, text in before.items()}
    for name, wanted in changes.items():
        changed[name]["environment"].update(wanted)
    try:
        _give(processes, {name: json.dumps(spec) for name, spec in changed.items()})
        yield
    finally:
        _give(processes, before)


def environment(processes: Processes, name: str) -> dict[str, str]:
    """What a process is started with."""
    return dict(json.loads(_file(processes, name).read_text())["environment"])


def _give(processes: Processes, specs: Mapping[str, str]) -> None:
    for name, text in specs.items():
        # Written in place: owner and mode are those of a secret, and stay.
        _file(processes, name).write_text(text)
    processes.stop(*specs)
    processes.start(*specs)


def _file(processes: Processes, name: str) -> Path:
    known = {process.name: process for process in table.all_processes(processes.instance)}
    return supervisor.spec_file(processes.instance, known[name])
