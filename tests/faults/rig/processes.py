"""The processes of this rig's own platform: which there are, and how to end or freeze them.

Nothing is found by a name that a stranger's process might have too: every pid is one that the platform's supervisor
started, a descendant of one, or carries the instance's marker.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeVar
from urllib.request import ProxyHandler, build_opener

from ochaq_local import guard, ports, readiness, supervisor, table
from ochaq_local.instance import Instance
from ochaq_platform import Platform

T = TypeVar("T")
_direct = build_opener(ProxyHandler({}))


class NotOurs(Exception):
    """A signal was about to reach a process that this platform did not start."""


@dataclass
class Processes:
    """The processes of one platform, asked for anew each time: they come and go."""

    platform: Platform

    @cached_property
    def instance(self) -> Instance:
        found = Instance(self.platform.state)
        found.load_ports()
        return found

    @property
    def supervisor_pid(self) -> int:
        return int((self.platform.state / "run" / "supervisord.pid").read_text())

    def pids(self) -> dict[str, int]:
        """The main process of every name; 0 where there is none just now."""
        return {name: int(row["pid"]) for name, row in supervisor.information(self.instance).items()}

    def pid(self, name: str) -> int:
        """The main process, waited for: the supervisor may be about to start it."""
        return wait_for(lambda: self.pids().get(name, 0), 30, f"a process of {name}")

    def children(self, name: str) -> list[int]:
        """The processes that the main one started: granian's workers, Celery's pool, PostgreSQL's backends."""
        return descendants(self.pid(name))

    def tree(self, name: str) -> list[int]:
        pid = self.pid(name)
        return [pid, *descendants(pid)]

    def everything(self) -> list[int]:
        """Every process of this platform except its supervisor."""
        top = self.supervisor_pid
        marked = guard.of_instance(self.instance.id)
        return [pid for pid in {*descendants(top), *marked} if pid != top]

    def send(self, pids: Iterable[int], number: signal.Signals) -> None:
        """A signal to processes of ours; raises `NotOurs` before any has got it when one of them is not."""
        wanted = list(pids)
        ours = {self.supervisor_pid, *self.everything()}
        strangers = [pid for pid in wanted if pid not in ours and guard.is_alive(pid)]
        if strangers:
            raise NotOurs(f"{strangers} are no processes of {self.instance.id}")
        for pid in wanted:
            guard.send(pid, number)

    def kill(self, pids: Iterable[int]) -> None:
        self.send(pids, signal.SIGKILL)

    def stop(self, *names: str) -> None:
        """Have the supervisor end processes, side by side, and leave them ended."""
        for name in names:
            supervisor.call(self.instance, "stopProcess", self._full(name), False)
        wait_for(lambda: not any(self.pids().get(name) for name in names), 60, f"the end of {', '.join(names)}")
        supervisor.wait_stopped(self.instance, set(names), 10)

    def start(self, *names: str) -> None:
        for name in names:
            supervisor.call(self.instance, "startProcess", self._full(name), False)

    def is_ready(self, name: str) -> bool:
        """Whether it does its work, as `make status` would say."""
        return not self.unready(name)

    def unready(self, *names: str) -> set[str]:
        """Which of these (of all when none is given) do not do their work."""
        known = [process for process in table.all_processes(self.instance) if not names or process.name in names]
        return {process.name for process in known} - readiness.ready_ones(self.instance, known)

    def wait_ready(self, seconds: float = 90) -> None:
        wait_for(lambda: not self.unready(), seconds, lambda: f"everything ready, without {sorted(self.unready())}")

    def health(self, name: str, path: str = "/readyz?verbose", seconds: float = 5) -> str:
        """What a process answers at its own health port; raises OSError when it does not answer or says 503."""
        address = f"http://{ports.HOST}:{self.instance.ports[name]}{path}"
        with _direct.open(address, timeout=seconds) as answer:
            return str(answer.read().decode())

    def _full(self, name: str) -> str:
        kinds = {process.name: supervisor.group_of(process) for process in table.all_processes(self.instance)}
        return f"{kinds[name]}:{name}"


def descendants(pid: int) -> list[int]:
    """Living children, their children and so on."""
    below: dict[int, list[int]] = {}
    for child, parent in _parents():
        below.setdefault(parent, []).append(child)
    found, open_ends = [], [pid]
    while open_ends:
        children = below.get(open_ends.pop(), [])
        found += children
        open_ends += children
    return found


def _parents() -> list[tuple[int, int]]:
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            try:
                stat = (folder / "stat").read_text()
            except OSError:
                continue  # It ended while we looked.
            state, parent = stat.rpartition(")")[2].split()[:2]
            if state not in "ZX":
                found.append((int(folder.name), int(parent)))
    return found


def wait_for(look: Callable[[], T], seconds: float, wanted: str | Callable[[], str], pause: float = 0.05) -> T:
    """The first true answer of `look`."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > deadline:
            text = wanted if isinstance(wanted, str) else wanted()
            raise AssertionError(f"waited {seconds:.0f} s in vain for {text}")
        time.sleep(pause)
    return found
