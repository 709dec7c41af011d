"""What a heap of events comes to. Order does not matter, because the operations commute:

- a row replaces an older version of itself, and never a newer one;
- a removed student stays removed, since ids are never used again;
- a created range is no content but a question: what the source has there is asked for when the change is written;
- demo students up to an id are gone for good.

So events that come twice, late or in another order end in the same index, and the events of a whole rebuild can be kept
in the memory of the students they touched.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ochaq_shared.events import Fact
from ochaq_shared.events.students import (
    StudentChanged,
    StudentCreated,
    StudentRemoved,
    StudentsBatchCreated,
    StudentsBatchRemoved,
)

from ochaq_search.engines.base import StudentRow, StudentWriter
from ochaq_search.sources import StudentSource

# Ranges this near each other are asked for at once: a few rows more cost less than another request.
NEAR = 1000


@dataclass
class Changes:
    """Everything to be done to an index."""

    rows: dict[int, StudentRow] = field(default_factory=dict)
    removed: set[int] = field(default_factory=set)
    ranges: list[tuple[int, int]] = field(default_factory=list)
    demo_gone_up_to: int = 0

    @classmethod
    def of(cls, facts: Iterable[Fact]) -> Changes:
        """The changes that these facts ask for; facts that are not about students ask for none."""
        changes = cls()
        for fact in facts:
            changes._note(fact)
        return changes

    def __bool__(self) -> bool:
        return bool(self.rows or self.removed or self.ranges or self.demo_gone_up_to)

    def merge(self, other: Changes) -> None:
        """Take over the other's changes."""
        for row in other.rows.values():
            self._row(row)
        self.removed |= other.removed
        self.ranges += other.ranges
        self.demo_gone_up_to = max(self.demo_gone_up_to, other.demo_gone_up_to)

    @property
    def weight(self) -> int:
        """About how many rows writing this touches."""
        return len(self.rows) + len(self.removed) + sum(last - first + 1 for first, last in self.ranges)

    def write(self, writer: StudentWriter, source: StudentSource) -> None:
        """Bring an index up to date, uncommitted. Raises SourceUnavailable and EngineUnavailable; can be repeated."""
        if self.demo_gone_up_to:
            writer.remove_demo(self.demo_gone_up_to)
        for first_id, last_id in joined(self.ranges):
            writer.clear_range(first_id, last_id)
            writer.put(source.students(after_id=first_id - 1, until_id=last_id))
        for student_id in self.removed:
            writer.remove(student_id)
        for row in self.rows.values():
            writer.put_if_newer(row)

    def _note(self, fact: Fact) -> None:
        if isinstance(fact, StudentCreated | StudentChanged):
            self._row(StudentRow(fact.id, fact.first_name, fact.last_name, fact.email, fact.demo, fact.version))
        elif isinstance(fact, StudentRemoved):
            self.removed.add(fact.id)
        elif isinstance(fact, StudentsBatchCreated):
            self.ranges.append((fact.first_id, fact.last_id))
        elif isinstance(fact, StudentsBatchRemoved):
            self.demo_gone_up_to = max(self.demo_gone_up_to, fact.up_to_id)

    def _row(self, row: StudentRow) -> None:
        known = self.rows.get(row.id)
        if known is None or known.version < row.version:
            self.rows[row.id] = row


def joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same ids in as few ranges as possible, in order; small gaps are filled."""
    found: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if found and first <= found[-1][1] + NEAR:
            found[-1] = (found[-1][0], max(found[-1][1], last))
        else:
            found.append((first, last))
    return found
