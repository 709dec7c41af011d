"""One run of one fault: the ledger works, something breaks, it mends, and the oracle looks at what is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from http.client import HTTPException
from random import Random

import httpx
import psycopg
from ochaq_shared.bus.connection import BrokerUnavailable

from rig.calls import Attempt, Operation
from rig.ground import Ground
from rig.ledger import Ledger
from rig.oracle import SECONDS, Before, Oracle
from rig.processes import wait_for
from rig.report import Row
from rig.settling import handled_before
from rig.stories import PARAMS, JobStory
from rig.verdict import Verdict
from rig.watching import Watcher

Look = Callable[[], bool]
LOOK_SECONDS = 0.05
LEAST_PATIENCE = 90.0


@dataclass(frozen=True)
class Size:
    """How long a run is. `slack` stretches the matrix's limits where a short run shares its cores with other tests."""

    operations: int
    long: bool
    slack: float = 1.0

    def seconds(self, short: float, long: float) -> float:
        return long if self.long else short


SHORT = Size(operations=50, long=False, slack=3.0)
LONG = Size(operations=500, long=True)


@dataclass
class Scene:
    """What a fault's own code sees and may do."""

    ground: Ground
    name: str
    limit: float
    seed: int
    size: Size
    ordered: bool = True
    patience: float = SECONDS
    """How long the oracle waits for what is missing to come."""

    verdict: Verdict = field(default_factory=Verdict)
    detected: float | None = None
    recovered_after: float | None = None
    begun: float = 0.0
    ended: float = 0.0

    @cached_property
    def rng(self) -> Random:
        return Random(f"{self.name} {self.seed}")

    @cached_property
    def ledger(self) -> Ledger:
        run = f"{self.name.lower()}s{self.seed}t{int(time.time()) % 10**6}"
        return Ledger(self.ground.campus, self.seed, run, self.size.operations, self.ground.kinds)

    def play(self, body: Callable[[Scene], None]) -> Row:
        """Everything, from a quiet platform to the verdict. A failure of the fault's own code is a finding too."""
        began = time.monotonic()
        self.ground.settle()
        before = Before.of(self.ground.databases)
        campus = self.ground.campus
        with ExitStack() as stack:
            topics = (("manager", ("user", "students")), ("instructor", ("students",)))
            watchers = [stack.enter_context(Watcher(campus, role, names)) for role, names in topics]
            self.ledger.start()
            self.ledger.wait_for(self.size.operations // 3)
            try:
                body(self)
            except Exception as failure:  # whatever it met, the oracle shall still look
                self.verdict.wrong.append(f"{type(failure).__name__}: {failure}")
            finally:
                self.ground.arm({})
            self.ledger.finish()
            databases = self.ground.databases
            oracle = Oracle(campus, databases, self.ledger, watchers, before, self.ordered, self.patience)
            self.verdict.add(oracle.judge())
        return self._row(time.monotonic() - began)

    # --- what happens

    @contextmanager
    def fault(self, noticed: Look | None = None) -> Iterator[None]:
        """The time during which something is broken; `noticed` says that the platform shows it."""
        self.begun = time.time()
        over = threading.Event()
        eye = threading.Thread(target=self._wait_noticed, args=(noticed, over), daemon=True)
        if noticed:
            eye.start()
        self.log("begins")
        try:
            yield
        finally:
            self.ended = time.time()
            self.log("ends")
            if noticed:
                # A kill is over the moment it is done; being noticed may come a little later.
                eye.join(self.limit * self.size.slack + 5)
                over.set()
                eye.join()

    def kill_at(self, point: str, *names: str, times: int = 1) -> None:
        """Let processes die at a failpoint, and wait until that has happened."""
        self.ground.arm({point: {"do": "kill", "times": times}})
        wait_for(lambda: self.ground.fired(point) >= times, 30, f"{times} deaths at {point}", LOOK_SECONDS)

    def recovered(self, *conditions: Look) -> None:
        """Wait until all conditions hold and everything from before the fault's end has been handled."""
        left = {id(look): look for look in (*conditions, self.backlog_drained)}
        patience = max(LEAST_PATIENCE, 3 * self.limit)
        deadline = time.monotonic() + patience
        while left:
            for key in [key for key, look in left.items() if _holds(look)]:
                self.log(f"{left.pop(key).__name__} holds after {time.time() - self.ended:.2f} s")
            if left and time.monotonic() > deadline:
                self.verdict.wrong.append(f"not recovered within {patience:.0f} s of the fault's end")
                return
            time.sleep(LOOK_SECONDS if left else 0)
        seconds = time.time() - self.ended
        self.recovered_after = max(seconds, self.recovered_after or 0.0)
        self.log(f"recovered after {seconds:.2f} s")

    def start_job(self, kind: str, *, expecting: str = "succeeded", **params: object) -> JobStory:
        """One more job, known to the oracle as those of the ledger are."""
        mark = f"{self.ledger.run}j{len(self.ledger.stories)}"
        story = JobStory(mark, Random(0), kind=kind, params=params, expecting=expecting)
        self.ledger.tell(story)
        if not story.made:
            raise AssertionError(f"the job {kind} could not be started: {story.operations}")
        return story

    def takes_jobs(self) -> Look:
        """A job asked for after the fault's end is done: outbox, relay, broker, worker and web all work."""
        known: list[JobStory] = []

        def takes_jobs() -> bool:
            if not known:
                kind = self.ground.kinds[0]
                known.append(self.start_job(kind, **PARAMS[kind][1]))
            return bool(self.job(known[0])["status"] == "succeeded")

        return takes_jobs

    def require(self, condition: object, otherwise: str) -> None:
        if not condition:
            self.verdict.wrong.append(otherwise)

    def log(self, text: str) -> None:
        print(f"{time.strftime('%H:%M:%S')} {self.name} seed {self.seed}: {text}", flush=True)

    # --- what can be looked at

    def serves(self, *kinds: str) -> Look:
        """Operations of these kinds (all when none is given) that were asked after the fault's end are acknowledged."""

        def serves() -> bool:
            return any(
                operation.acknowledged and operation.attempts[-1].at >= self.ended
                for operation in self.ledger.operations
                if not kinds or operation.kind.startswith(kinds)
            )

        return serves

    def backlog_drained(self) -> bool:
        """Whatever was told before the fault's end has been sent and handled."""
        return handled_before(self.ground.databases, self.ended)

    def death(self) -> Look:
        """One of the processes of now is no more."""
        before = set(self.ground.processes.everything())
        return lambda: not before <= set(self.ground.processes.everything())

    def gone(self, name: str) -> Look:
        """The supervisor knows that the process of now is no more."""
        before = self.ground.processes.pid(name)
        return lambda: self.ground.processes.pids().get(name, 0) != before

    def ready(self, *names: str) -> Look:
        """These processes (all when none is given) are ready."""

        def ready() -> bool:
            return not self.ground.processes.unready(*names)

        return ready

    def job_is(self, story: JobStory, *statuses: str) -> Look:
        return lambda: self.job(story)["status"] in statuses

    def job(self, story: JobStory) -> dict[str, object]:
        names = ("status", "attempt", "lease_owner", "error", "progress_done")
        query = "SELECT status, attempt, lease_owner, error, progress_done FROM job WHERE id = %s"
        return dict(zip(names, self.ground.databases.web(query, (story.id,))[0], strict=True))

    def attempts_between(self, begin: float, end: float, *kinds: str) -> list[Attempt]:
        """Requests that began in a span of time, of operations of these kinds."""
        operations = [o for o in self.ledger.operations if not kinds or o.kind.startswith(kinds)]
        return [a for o in operations for a in list(o.attempts) if begin <= a.at < end]

    def _wait_noticed(self, noticed: Look, over: threading.Event) -> None:
        while not over.is_set():
            if _holds(noticed):
                self.detected = max(time.time() - self.begun, self.detected or 0.0)
                return
            over.wait(LOOK_SECONDS)

    def _row(self, seconds: float) -> Row:
        late = self.recovered_after is not None and self.recovered_after > self.limit * self.size.slack
        if late:
            wanted = f"{self.limit:.0f} s" + (f" (times {self.size.slack:g})" if self.size.slack != 1 else "")
            self.verdict.wrong.append(f"recovered after {self.recovered_after:.1f} s, not within {wanted}")
        operations: list[Operation] = self.ledger.operations
        return Row(
            fault=self.name,
            seed=self.seed,
            operations=len(operations),
            verdict=self.verdict,
            detect=self.detected,
            recover=self.recovered_after,
            limit=self.limit,
            max_latency=max((operation.seconds for operation in operations if operation.attempts), default=0.0),
            answers=self.ledger.statuses(),
            seconds=seconds,
        )


def percentile(values: list[float], share: float) -> float:
    """The smallest value that at least this share of all does not exceed; 0 for none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _holds(look: Look) -> bool:
    """Whether it holds; an answer that cannot be had just now is a no."""
    try:
        return bool(look())
    except (OSError, HTTPException, psycopg.Error, httpx.HTTPError, BrokerUnavailable):
        return False
