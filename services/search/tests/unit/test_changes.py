"""Events may come late, twice and in any order: the index ends the same."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ochaq_search.changes import Changes, joined
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_shared.events import Fact
from ochaq_shared.events.students import (
    StudentChanged,
    StudentCreated,
    StudentRemoved,
    StudentsBatchCreated,
    StudentsBatchRemoved,
)


class School:
    """The truth, and the facts that were told about it."""

    def __init__(self) -> None:
        self.rows: dict[int, StudentRow] = {}
        self.told: list[Fact] = []
        self._next = 1

    def students(self, *, after_id: int = 0, until_id: int | None = None) -> Iterator[StudentRow]:
        for number in sorted(self.rows):
            if after_id < number and (until_id is None or number <= until_id):
                yield self.rows[number]

    def act(self, action: str, pick: int) -> None:
        getattr(self, action)(pick)

    def batch(self, pick: int) -> None:
        first = self._next
        for _ in range(1 + pick % 4):
            self._add("Demo", demo=True)
        job = "01920000-0000-7000-8000-000000000000"
        last = self._next - 1
        self.told.append(StudentsBatchCreated(first_id=first, last_id=last, count=last - first + 1, job_id=job))

    def create(self, pick: int) -> None:
        self.told.append(StudentCreated(**self._data(self._add("Real", demo=pick % 5 == 0))))

    def change(self, pick: int) -> None:
        if row := self._pick(pick):
            self.rows[row.id] = row._replace(first_name=f"Name{row.version + 1}", version=row.version + 1)
            self.told.append(StudentChanged(**self._data(self.rows[row.id])))

    def remove(self, pick: int) -> None:
        if row := self._pick(pick):
            del self.rows[row.id]
            self.told.append(StudentRemoved(id=row.id))

    def purge(self, _pick: int) -> None:
        gone = [row.id for row in self.rows.values() if row.demo]
        for number in gone:
            del self.rows[number]
        job = "01920000-0000-7000-8000-000000000000"
        self.told.append(StudentsBatchRemoved(up_to_id=self._next - 1, count=len(gone), job_id=job))

    def _add(self, name: str, *, demo: bool) -> StudentRow:
        row = StudentRow(self._next, name, "Everyone", f"a{self._next}@example.com", demo, 1)
        self.rows[row.id] = row
        self._next += 1
        return row

    def _pick(self, pick: int) -> StudentRow | None:
        known = sorted(self.rows)
        return self.rows[known[pick % len(known)]] if known else None

    def _data(self, row: StudentRow) -> dict[str, object]:
        return {**row._asdict(), "age": 20}


def content(reader: TantivyReader) -> list[tuple[int, str]]:
    """A list, because a student may not be there twice."""
    reader.refresh()
    return sorted((hit.id, hit.first_name) for hit in reader.search("everyone", limit=200, offset=0).hits)


ACTIONS = st.tuples(st.sampled_from(["batch", "create", "change", "change", "remove", "purge"]), st.integers(0, 50))
DELIVERIES = st.tuples(st.just("deliver"), st.integers(0, 50))


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ACTIONS | DELIVERIES, max_size=25), st.randoms(use_true_random=False))
def test_whatever_order_events_come_in_the_index_ends_as_the_truth(steps: list[tuple[str, int]], rnd) -> None:  # type: ignore[no-untyped-def]
    school = School()
    with tempfile.TemporaryDirectory() as directory:
        engine = TantivyEngine(Path(directory), writer_bytes=15_000_000)
        writer = engine.building()
        writer.commit()
        engine.publish(writer)

        def deliver(*facts: Fact) -> None:
            Changes.of(facts).write(writer, school)
            writer.commit()

        for action, pick in steps:
            if action != "deliver":
                school.act(action, pick)
            elif school.told:
                # Any event so far, perhaps for the second time, perhaps after later ones.
                deliver(school.told[pick % len(school.told)])
        late = school.told * 2
        rnd.shuffle(late)
        for start in range(0, len(late), 3):
            deliver(*late[start : start + 3])
        assert content(engine.reader()) == [(row.id, row.first_name) for row in school.students()]
        writer.close()


@given(st.lists(st.tuples(st.integers(1, 5000), st.integers(0, 300)), max_size=20))
def test_joined_ranges_cover_the_same_ids_in_order_without_overlap(starts: list[tuple[int, int]]) -> None:
    ranges = [(first, first + length) for first, length in starts]
    found = joined(ranges)
    assert all(any(a <= first and last <= b for a, b in found) for first, last in ranges)
    assert all(left[1] < right[0] for left, right in pairwise(found))


def test_chunks_of_one_job_are_asked_for_at_once() -> None:
    assert joined([(2001, 4000), (1, 2000), (4001, 6000)]) == [(1, 6000)]
    assert joined([(1, 10), (100_000, 100_010)]) == [(1, 10), (100_000, 100_010)]
