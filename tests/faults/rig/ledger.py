"""The ledger driver: clients that work at a steady rate while something breaks, and remember every answer."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

from campus import Campus

from rig.calls import Attempt, Operation, ask
from rig.stories import Story, stories

RATE = 20.0
CLIENTS = 8
PATIENCE = 150.0


@dataclass
class Ledger:
    """Runs stories from `start` until `finish`, and at least `size` operations of them.

    `campus` is shared by all clients. The same `seed` gives the same stories in the same order; which operation a
    fault meets depends on time and is not repeatable.
    """

    campus: Campus
    seed: int
    run: str
    size: int
    kinds: tuple[str, ...]
    rate: float = RATE
    clients: int = CLIENTS
    patience: float = PATIENCE
    stories: list[Story] = field(default_factory=list)

    def __post_init__(self) -> None:
        rng = random.Random(self.seed)
        self._source: Iterator[Story] = stories(rng, self.run, kinds=self.kinds)
        self._pauses = random.Random(rng.getrandbits(64))
        self._lock = threading.Lock()
        self._slots = 0
        self._finish = threading.Event()
        self._failures: list[BaseException] = []
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(self.clients)]
        self.began = 0.0

    def start(self) -> None:
        self.began = time.monotonic()
        for thread in self._threads:
            thread.start()

    def wait_for(self, operations: int, seconds: float = 60) -> None:
        """Until that many operations are acknowledged."""
        deadline = time.monotonic() + seconds
        while len(self.acknowledged) < operations:
            self._check(deadline, f"{operations} acknowledged operations")
            time.sleep(0.02)

    def finish(self, seconds: float = PATIENCE + 60) -> None:
        """Begin no further story once the size is reached, and wait until the last client has its last answer."""
        self._finish.set()
        deadline = time.monotonic() + seconds
        while any(thread.is_alive() for thread in self._threads):
            self._check(deadline, "the end of every client")
            time.sleep(0.02)
        self._check(deadline, "nothing")

    def tell(self, story: Story) -> None:
        """One story more, told by the caller at once; the oracle knows it as it knows the others."""
        with self._lock:
            self.stories.append(story)
        story.tell(self._do)

    @property
    def operations(self) -> list[Operation]:
        with self._lock:
            known = list(self.stories)
        return [operation for story in known for operation in list(story.operations)]

    @property
    def acknowledged(self) -> list[Operation]:
        return [operation for operation in self.operations if operation.acknowledged]

    @property
    def attempts(self) -> list[Attempt]:
        return [attempt for operation in self.operations for attempt in list(operation.attempts)]

    def statuses(self) -> Counter[str]:
        """How often each status was answered; `lost` counts requests without an answer."""
        return Counter(str(attempt.status or "lost") for attempt in self.attempts)

    def _check(self, deadline: float, wanted: str) -> None:
        if self._failures:
            raise AssertionError(f"a client of the ledger failed: {self._failures[0]!r}") from self._failures[0]
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {wanted}: {dict(self.statuses())}")

    def _work(self) -> None:
        try:
            while (story := self._next()) is not None:
                story.tell(self._do)
        except BaseException as failure:
            self._failures.append(failure)

    def _next(self) -> Story | None:
        with self._lock:
            if self._finish.is_set() and self._slots >= self.size:
                return None
            story = next(self._source)
            self.stories.append(story)
            return story

    def _do(self, operation: Operation) -> bool:
        """Wait for this operation's turn at the steady rate, then ask."""
        with self._lock:
            turn = self.began + self._slots / self.rate
            self._slots += 1
            rng = random.Random(self._pauses.getrandbits(64))
        time.sleep(max(0.0, turn - time.monotonic()))
        ask(self.campus, operation, patience=self.patience, rng=rng)
        return operation.acknowledged
