"""Somebody who kills and freezes processes of one platform, one after another, a few at a time, by a seed."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from random import Random

from ochaq_local import guard
from rig.processes import NotOurs, Processes, descendants

KILL, CHILD, FREEZE = "killed", "child killed", "frozen"


@dataclass(frozen=True)
class Victim:
    """One kind of process. `weight`: how often it is chosen; `rest`: seconds until it may be chosen again."""

    name: str
    weight: int = 4
    rest: float = 6.0
    children: bool = False
    by: signal.Signals = signal.SIGKILL


# A server that restarts takes everybody with it, so it is chosen less often than those who stand on it.
VICTIMS = (
    Victim("web-serve", 6, children=True),
    Victim("web-relay", 5),
    Victim("web-consume"),
    Victim("worker-work", 6, children=True),
    Victim("worker-beat", 2),
    Victim("realtime-serve", 5),
    Victim("realtime-consume"),
    Victim("files-serve", 5),
    Victim("files-relay", 3),
    Victim("files-consume", 3),
    Victim("search-serve", 3),
    Victim("search-index", 3),
    Victim("gateway", 3, children=True),
    Victim("redis", 2, rest=15),
    Victim("rabbitmq", 2, rest=40),
    # SIGQUIT is what `pg_ctl -m immediate` sends: no goodbye, and recovery from the log at the next start.
    Victim("postgres", 2, rest=20, by=signal.SIGQUIT),
)
PAUSES = (1.0, 3.0)
FREEZES = (2.0, 10.0)
MOST_FROZEN = 3
SHARES = {KILL: 5, CHILD: 4, FREEZE: 3}


@dataclass
class Mischief:
    """Runs in a thread between `start` and `stop`; afterwards nothing is frozen any more."""

    processes: Processes
    rng: Random
    done: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._resting: dict[str, float] = {}
        self._frozen: dict[str, tuple[float, list[int]]] = {}
        self._failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End, thaw everything, and raise what went wrong with the mischief itself."""
        self._stop.set()
        self._thread.join(30)
        self._thaw(time.monotonic() + 1e9)
        if self._failure is not None:
            raise self._failure

    def count(self, *acts: str) -> int:
        return sum(many for (_, act), many in self.done.items() if act in acts)

    def _run(self) -> None:
        try:
            due = time.monotonic()
            while not self._stop.wait(0.1):
                self._thaw(time.monotonic())
                if time.monotonic() >= due:
                    self._strike()
                    due = time.monotonic() + self.rng.uniform(*PAUSES)
        except BaseException as failure:
            self._failure = failure

    def _strike(self) -> None:
        victim, act = self._choose()
        pid = self.processes.pids().get(victim.name, 0)
        if not pid:
            return  # It is being started just now, which the next strike will interrupt soon enough.
        # Between looking and striking a process may go by itself.
        with suppress(NotOurs):
            if act == FREEZE:
                self._freeze(victim, pid)
            elif act == CHILD:
                self._kill_child(victim, pid)
            else:
                self.processes.send([pid], victim.by)
                self._note(victim, KILL)

    def _choose(self) -> tuple[Victim, str]:
        """What the seed says; who rests or stands still is passed over, without another look at the dice."""
        now = time.monotonic()
        for victim, act in self._rolls():
            busy = victim.name in self._frozen or now < self._resting.get(victim.name, 0)
            full = act == FREEZE and len(self._frozen) >= MOST_FROZEN
            if not busy and not full and (act != CHILD or victim.children):
                return victim, act
        raise AssertionError("nobody is left to strike")

    def _rolls(self) -> Iterator[tuple[Victim, str]]:
        for _ in range(10_000):
            victim = self.rng.choices(VICTIMS, [victim.weight for victim in VICTIMS])[0]
            yield victim, self.rng.choices(list(SHARES), list(SHARES.values()))[0]

    def _freeze(self, victim: Victim, pid: int) -> None:
        tree = [pid, *descendants(pid)]
        self.processes.send(tree, signal.SIGSTOP)
        self._frozen[victim.name] = (time.monotonic() + self.rng.uniform(*FREEZES), tree)
        self._note(victim, FREEZE)

    def _kill_child(self, victim: Victim, pid: int) -> None:
        children = descendants(pid)
        if children:
            self.processes.kill([self.rng.choice(children)])
            self._note(victim, CHILD)

    def _thaw(self, now: float) -> None:
        for name, (until, tree) in list(self._frozen.items()):
            if now >= until:
                # Those that are gone by now were killed by whoever noticed that they stood still.
                for pid in tree:
                    guard.send(pid, signal.SIGCONT)
                del self._frozen[name]

    def _note(self, victim: Victim, act: str) -> None:
        self.done[victim.name, act] += 1
        self._resting[victim.name] = time.monotonic() + victim.rest
