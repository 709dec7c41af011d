"""A client that has the worker make students by the thousand, so that strikes meet jobs in the middle of their work."""

from __future__ import annotations

import random
import threading
import time

from campus import get
from rig.ledger import Ledger
from rig.rows import OVER
from rig.stories import JobStory

ROWS = (4_000, 20_000)
CANCELLED = 0.25


class Heavy:
    """Runs in a thread from `start` to `stop`. Its jobs are stories of the ledger, so the oracle judges them too."""

    def __init__(self, ledger: Ledger, rng: random.Random) -> None:
        self._ledger = ledger
        self._rng = rng
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Begin no other job."""
        self._stop.set()

    def join(self, seconds: float) -> None:
        """Wait for the end of the job at work; raises what went wrong in the thread."""
        self._thread.join(seconds)
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        number = 0
        try:
            while not self._stop.is_set():
                self._one(f"{self._ledger.run}h{number}")
                number += 1
        except BaseException as failure:
            self._failure = failure

    def _one(self, mark: str) -> None:
        params = {"count": self._rng.randint(*ROWS), "replace": False}
        story = JobStory(mark, random.Random(self._rng.random()), kind="students.generate", params=params)
        cancelled = self._rng.random() < CANCELLED
        self._ledger.stories.append(story)
        story.tell(self._ledger._do)
        if cancelled and story.made:
            time.sleep(self._rng.uniform(0.1, 2.0))
            path = f"/api/v1/jobs/{story.id}/cancel/"
            story._ask(self._ledger._do, "job.cancel", "POST", path, accepted=frozenset({409}))
        while story.made and not self._is_over(story):
            time.sleep(0.3)

    def _is_over(self, story: JobStory) -> bool:
        answer = get(self._ledger.campus.client("manager"), f"/api/v1/jobs/{story.id}/", seconds=60)
        return answer.status_code == 200 and answer.json()["status"] in OVER
