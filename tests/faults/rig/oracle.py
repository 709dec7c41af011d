"""The oracle: compares what was acknowledged with what there is, in every place that has to know of it.

It is asked when the fault is over and nothing is on its way any more, so whatever it finds missing is lost.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from campus import Campus, get

from rig import effects, rows
from rig.databases import Databases
from rig.ledger import Ledger
from rig.settling import pending
from rig.stories import FileStory, JobStory, RecipeStory, StudentStory
from rig.verdict import Verdict
from rig.watching import Watcher

SECONDS = 60.0


@dataclass(frozen=True)
class Before:
    """How much there was of everything when the ledger began."""

    counts: dict[str, int]
    at: Any

    @classmethod
    def of(cls, databases: Databases) -> Before:
        at = databases.web("SELECT clock_timestamp()")[0][0]
        return cls(rows.counts(databases), at)


@dataclass
class Oracle:
    """`ordered` is False where the fault itself shuffles: then only the last state of a thing has to be right."""

    campus: Campus
    databases: Databases
    ledger: Ledger
    watchers: Sequence[Watcher]
    before: Before
    ordered: bool = True
    seconds: float = SECONDS

    def judge(self) -> Verdict:
        """The final verdict: as soon as nothing is found, or what is still found when the time is over."""
        deadline = time.monotonic() + self.seconds
        while True:
            left = pending(self.databases)
            verdict = self._look() if not left else Verdict(lost=[f"still on the way: {text}" for text in left])
            # What is missing may still come, and what should be gone may still go; the rest cannot mend itself.
            if not (verdict.lost or verdict.ghosts) or time.monotonic() > deadline:
                return verdict
            time.sleep(0.3)

    def _look(self) -> Verdict:
        verdict = Verdict()
        for part in (self._answers, self._rows, self._events, self._search, self._live):
            verdict.add(part())
        return verdict

    def _answers(self) -> Verdict:
        """Every client was answered, never with a 500, and every 503 says when to come again."""
        operations = self.ledger.operations
        wrong = [f"never answered: {operation}" for operation in operations if operation.status is None]
        wrong += [f"refused: {operation} {operation.body[:120]!r}" for operation in operations if operation.refused]
        attempts = [(operation, attempt) for operation in operations for attempt in operation.attempts]
        wrong += [f"answered 500: {operation}" for operation, attempt in attempts if attempt.status == 500]
        unavailable = [(operation, attempt) for operation, attempt in attempts if attempt.status == 503]
        wrong += [
            f"503 without Retry-After: {operation}" for operation, attempt in unavailable if not attempt.retry_after
        ]
        broken = [(o, a) for o, a in attempts if a.is_5xx and not a.content_type.startswith("application/problem+json")]
        return Verdict(wrong=wrong + [f"{a.status} that is no problem: {o}" for o, a in broken])

    def _rows(self) -> Verdict:
        verdict = Verdict()
        kinds = (StudentStory, RecipeStory, FileStory, JobStory)
        mine: dict[type, list[Any]] = {kind: [s for s in self.ledger.stories if isinstance(s, kind)] for kind in kinds}
        verdict.add(rows.students(self.databases, self.ledger.run, mine[StudentStory]))
        verdict.add(rows.recipes(self.databases, self.ledger.run, mine[RecipeStory]))
        verdict.add(rows.files(self.databases, self.ledger.run, mine[FileStory]))
        verdict.add(rows.jobs(self.databases, self.before.at, mine[JobStory]))
        verdict.add(rows.growth(self.databases, self.before.counts, self.ledger.stories))
        return verdict

    def _events(self) -> Verdict:
        verdict = effects.outboxes(self.databases, self.before.at)
        verdict.add(effects.inboxes(self.databases, self.before.at, ordered=self.ordered))
        return verdict

    def _search(self) -> Verdict:
        """The index holds each student once, as he is now, and nobody else."""
        manager, verdict = self.campus.client("manager"), Verdict()
        wanted = self.databases.number("web", "SELECT count(*) FROM student")
        found = get(manager, "/api/v1/search/students/stats", seconds=10).json().get("documents")
        if found != wanted:
            list_ = verdict.lost if found is None or found < wanted else verdict.ghosts
            list_.append(f"the index holds {found} students, the database {wanted}")
        for story in (s for s in self.ledger.stories if isinstance(s, StudentStory)):
            answer = get(manager, "/api/v1/search/students", seconds=10, params={"q": story.email, "limit": 10})
            hits = [hit["id"] for hit in answer.json().get("results", []) if hit["email"] == story.email]
            if story.made and story.settled and not story.removed and hits != [story.id]:
                (verdict.dup if len(hits) > 1 else verdict.lost).append(f"search finds {story.email} as {hits}")
            if (story.removed or not story.operations) and hits:
                verdict.ghosts.append(f"search still finds {story.email}")
        return verdict

    def _live(self) -> Verdict:
        """Each watcher was shown each event once and in order."""
        verdict = Verdict()
        for watcher in self.watchers:
            verdict.add(self._shown(watcher))
            verdict.lost += [f"{topic}: history did not reach back" for topic in watcher.told_missing]
        return verdict

    def _shown(self, watcher: Watcher) -> Verdict:
        verdict = Verdict(lost=watcher.gaps(), dup=watcher.twice())
        for story in self.ledger.stories:
            if isinstance(story, StudentStory) and "students" in watcher.topics:
                self._student_shown(watcher, story, verdict)
            if isinstance(story, JobStory) and "user" in watcher.topics:
                self._job_shown(watcher, story, verdict)
            if isinstance(story, FileStory) and "user" in watcher.topics:
                self._file_shown(watcher, story, verdict)
        return verdict

    def _student_shown(self, watcher: Watcher, story: StudentStory, verdict: Verdict) -> None:
        if not (story.made and story.settled):
            return
        events = watcher.events("students", story.id)
        names = ["created"] + ["changed"] * story.changes + ["removed"] * story.removed
        self._compare(f"student {story.mark}", [_word(event) for event in events], names, verdict)

    def _job_shown(self, watcher: Watcher, story: JobStory, verdict: Verdict) -> None:
        if not story.made:
            return
        states = [event["data"]["status"] for event in watcher.events("user", story.id)]
        ends = [state for state in states if state in rows.OVER]
        if len(ends) != 1:
            (verdict.dup if ends else verdict.lost).append(f"job {story.mark} was shown as {states}")
        elif states[-1] not in rows.OVER:
            verdict.reordered.append(f"job {story.mark} was shown as {states}")

    def _file_shown(self, watcher: Watcher, story: FileStory, verdict: Verdict) -> None:
        if story.made:
            events = watcher.events("user", story.id)
            words = [_word(event) for event in events]
            self._compare(f"file {story.mark}", words, ["uploaded", "completed"], verdict)

    def _compare(self, what: str, shown: list[str], wanted: list[str], verdict: Verdict) -> None:
        missing, more = Counter(wanted) - Counter(shown), Counter(shown) - Counter(wanted)
        if missing and (self.ordered or shown[-1:] != wanted[-1:]):
            verdict.lost.append(f"{what} was shown as {shown}, not {wanted}")
        if more:
            verdict.dup.append(f"{what} was shown as {shown}, not {wanted}")
        if not missing and not more and shown != wanted and (self.ordered or shown[-1] != wanted[-1]):
            verdict.reordered.append(f"{what} was shown as {shown}, not {wanted}")


def _word(event: dict[str, Any]) -> str:
    return str(event["name"]).rpartition(".")[2]
