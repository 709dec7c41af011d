"""Named points at which a test makes a real process die, stall, fail or misbehave: faults happen where they hurt.

`hit("relay.published")` does nothing at all until `configure` named a file, which the settings allow in mode test only.
The file is JSON, read again when it changes:

    {"relay.published": {"do": "kill", "times": 1}, "relay.duplicate": {"do": "value", "value": 5}}

`do` is `kill` (SIGKILL of this very process), `pause` (`seconds`), `raise` (`FailpointRaised`) or `value` (for points
that ask for one). `times` bounds how often a point fires over all processes and their restarts; without it, it always
does. Writing the file anew, with `write`, arms every point again.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Action = Literal["kill", "pause", "raise", "value"]


class FailpointRaised(RuntimeError):
    """What a point with `"do": "raise"` raises."""


@dataclass(frozen=True)
class Rule:
    """What one point does. Another key in the file, or a misspelt action, is refused when it is read."""

    do: Action
    times: int | None = None
    seconds: float = 0.0
    value: int = 0

    def __post_init__(self) -> None:
        if self.do not in ("kill", "pause", "raise", "value"):
            raise ValueError(f"a failpoint cannot {self.do!r}")


class _Points:
    """The rules of one file, and which of them are used up."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._generation = ""
        self._rules: dict[str, Rule] = {}

    def take(self, name: str, *, value: bool) -> Rule | None:
        """The rule of a point that fires now; points that act and points that are asked for a value do not mix."""
        self._refresh()
        rule = self._rules.get(name)
        if rule is None or (rule.do == "value") != value or not self._claim(name, rule):
            return None
        return rule

    def _refresh(self) -> None:
        try:
            with self._path.open() as file:
                generation = _generation(os.fstat(file.fileno()))
                if generation == self._generation:
                    return
                self._rules = {name: Rule(**rule) for name, rule in json.load(file).items()}
                self._generation = generation
        except FileNotFoundError:
            self._rules, self._generation = {}, ""

    def _claim(self, name: str, rule: Rule) -> bool:
        """Whether one of the rule's times is left. A marker file is made by one process only, and outlives it."""
        if rule.times is None:
            return True
        return any(_create(_marker(self._path, self._generation, name, n)) for n in range(rule.times))


_points: _Points | None = None


def configure(path: Path | None) -> None:
    """Switch the failpoints of this process on, or off with None. The file need not exist yet."""
    global _points
    _points = _Points(path) if path is not None else None


def hit(name: str) -> None:
    """A point in the code: do what the file says about it, which is nothing in every ordinary process."""
    if _points is None:
        return
    rule = _points.take(name, value=False)
    if rule is None:
        return
    if rule.do == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if rule.do == "raise":
        raise FailpointRaised(name)
    time.sleep(rule.seconds)


def value(name: str, default: int) -> int:
    """The number that the file gives for a point, or `default`."""
    if _points is None:
        return default
    rule = _points.take(name, value=True)
    return default if rule is None else rule.value


def write(path: Path, rules: dict[str, dict[str, Any]]) -> None:
    """For tests: put the file in place in one step, so that nobody reads half of it, and arm every point again."""
    for rule in rules.values():
        Rule(**rule)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    with os.fdopen(handle, "w") as file:
        json.dump(rules, file)
    temporary = Path(name)
    temporary.chmod(0o644)
    temporary.replace(path)


def fired(path: Path, name: str) -> int:
    """For tests: how often a point with `times` has fired since the file was last written."""
    generation = _generation(path.stat())
    return next(n for n in itertools.count() if not _marker(path, generation, name, n).exists())


def _generation(facts: os.stat_result) -> str:
    # The inode too: two files put in place within one tick of the clock have the same time.
    return f"{facts.st_mtime_ns:x}-{facts.st_ino:x}"


def _marker(path: Path, generation: str, name: str, number: int) -> Path:
    return path.with_name(f"{path.name}.{generation}.{name}.{number}")


def _create(marker: Path) -> bool:
    try:
        os.close(os.open(marker, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    return True
