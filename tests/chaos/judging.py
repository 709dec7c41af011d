"""The oracle of single faults, for a run that is long and in which everything breaks."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from random import Random
from types import SimpleNamespace
from typing import Any

from campus import get
from rig import effects
from rig.oracle import Oracle
from rig.stories import StudentStory
from rig.verdict import Verdict

ASKED = 1000
"""How many students the search is asked for by name, of those that the clients enrolled; a long run has many more."""
GENERATED = 200
"""The same of those that jobs generated."""
INDEX_SECONDS = 60.0
_SAMPLE = "SELECT id, email FROM student WHERE demo ORDER BY random() LIMIT %s"


@dataclass
class ChaosOracle(Oracle):
    """Looks at all rows, events and sockets, and at a sample of what the search finds."""

    chance: Random = field(default_factory=lambda: Random(1))

    def judge(self) -> Verdict:
        self._wait_for_index()
        return super().judge()

    def _events(self) -> Verdict:
        """Of the order in which web handles events, nothing is asked: while Redis is away, the handler of recipes'
        events (it forgets rendered answers) postpones them one by one, and does the same for all of them.
        """
        verdict = effects.outboxes(self.databases, self.before.at)
        verdict.add(effects.inboxes(self.databases, self.before.at, ordered=False))
        return verdict

    def _live(self) -> Verdict:
        """A watcher who is told that history does not reach back fetches anew, as contract.md says, and loses nothing.

        So things that he was shown less of are no loss, as far as he was told of so many events; what passed him by
        without a word, came twice or in another order, is found as in a single fault.
        """
        verdict = Verdict()
        for watcher in self.watchers:
            found = self._shown(watcher)
            unshown = [text for text in found.lost if text not in watcher.gaps()]
            if len(unshown) <= watcher.told_missing.total():
                found.lost = watcher.gaps()
            verdict.add(found)
        return verdict

    def _search(self) -> Verdict:
        stories = [story for story in self.ledger.stories if isinstance(story, StudentStory)]
        sample: Any = SimpleNamespace(stories=self.chance.sample(stories, min(ASKED, len(stories))))
        verdict = Oracle._search(replace(self, ledger=sample))
        manager = self.campus.client("manager")
        for number, email in self.databases.web(_SAMPLE, (GENERATED,)):
            answer = get(manager, "/api/v1/search/students", seconds=10, params={"q": email, "limit": 10})
            hits = [hit["id"] for hit in answer.json().get("results", []) if hit["email"] == email]
            if hits != [number]:
                (verdict.dup if len(hits) > 1 else verdict.lost).append(f"search finds student {number} as {hits}")
        return verdict

    def _wait_for_index(self) -> None:
        """The index follows a moment after the table; how long it may take is a matter of the faults' own limits."""
        deadline = time.monotonic() + INDEX_SECONDS
        manager = self.campus.client("manager")
        while time.monotonic() < deadline:
            found = get(manager, "/api/v1/search/students/stats", seconds=10).json().get("documents")
            if found == self.databases.number("web", "SELECT count(*) FROM student"):
                return
            time.sleep(0.5)
