"""Changing one index: every operation is idempotent, so that events may come late, twice and in any order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import tantivy

from ochaq_search.engines.base import EngineUnavailable, StudentRow
from ochaq_search.engines.tantivy import pointer as pointers
from ochaq_search.engines.tantivy import schema as fields


class TantivyWriter:
    """The only writer of one index directory (the engine's lock file enforces it)."""

    def __init__(self, root: Path, name: str, *, heap: int) -> None:
        self.root = root
        self.name = name
        self.published = False
        with self._failures():
            self._index = tantivy.Index(fields.make_schema(), path=str(root / name), reuse=True)
            self._index.config_reader("manual")
            # One thread: several would each make a segment per commit, and a handful of rows needs no help.
            self._writer = self._index.writer(heap, 1)
        self._stamp: int = self._writer.commit_opstamp
        self._demo_mark = 0
        self._reload()

    def put(self, rows: Iterable[StudentRow]) -> int:
        count = 0
        self._bulk = True
        for row in rows:
            self._add(fields.document(row))
            count += 1
        return count

    def put_if_newer(self, row: StudentRow) -> bool:
        if (row.demo and row.id <= self._demo_mark) or row.version <= self._known_version(row.id):
            return False
        self._writer.delete_documents_by_term("id", row.id)
        self._add(fields.document(row))
        self._pending[row.id] = row.version
        return True

    def remove(self, student_id: int) -> bool:
        if self._known_version(student_id) == GONE:
            return False
        self._writer.delete_documents_by_term("id", student_id)
        self._add(fields.tombstone(student_id))
        self._pending[student_id] = GONE
        return True

    def clear_range(self, first_id: int, last_id: int) -> None:
        query = self._range(first_id, last_id)
        # The first delivery of a range finds nothing to clear, and a deletion costs every segment a look at commit.
        # What is not committed cannot be looked at, but a deletion reaches everything that was added before it.
        if self._bulk or self._pending or fields.total(self._searcher.search(query, limit=1)):
            self._writer.delete_documents_by_query(query)

    def remove_demo(self, up_to_id: int) -> None:
        if up_to_id <= self._demo_mark:
            return
        demo = tantivy.Query.term_query(self._index.schema, "demo", True)
        both = [(tantivy.Occur.Must, demo), (tantivy.Occur.Must, self._range(0, up_to_id))]
        self._writer.delete_documents_by_query(tantivy.Query.boolean_query(both))
        self._writer.delete_documents_by_term("gone", fields.DEMO_MARK)
        self._add(fields.tombstone(fields.DEMO_MARK, up_to_id))
        self._demo_mark = up_to_id

    def commit(self) -> None:
        with self._failures():
            self._stamp = self._writer.commit()
        self._reload()
        if self.published:
            self.announce(durable=False)

    def rollback(self) -> None:
        with self._failures():
            self._writer.rollback()
        self._reload()

    def close(self) -> None:
        # Dropping the writer is what releases its lock; waiting for merges would hold up a swap for nothing.
        del self._writer

    def announce(self, *, durable: bool) -> None:
        """Tell readers that this index is the live one, at its last commit."""
        try:
            pointers.write(self.root, pointers.Pointer(self.name, self._stamp, fields.VERSION), durable=durable)
        except OSError as error:
            raise EngineUnavailable(f"cannot announce {self.name}: {error}") from error
        self.published = True

    @property
    def documents(self) -> int:
        return fields.total(self._searcher.search(tantivy.Query.exists_query("id"), limit=1))

    def _add(self, document: tantivy.Document) -> None:
        # Written out rather than with `_failures`: this runs once per row of a batch.
        try:
            self._writer.add_document(document)
        except ValueError as error:
            raise EngineUnavailable(f"cannot write {self.name}: {error}") from error

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """What the engine raises for a full disk, vanished files or a lock held elsewhere, in the interface's words."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise EngineUnavailable(f"{self.name}: {error}") from error

    def _range(self, first_id: int, last_id: int) -> tantivy.Query:
        return tantivy.Query.range_query(self._index.schema, "id", tantivy.FieldType.Integer, first_id, last_id)

    def _known_version(self, student_id: int) -> int:
        """The version of a student in the index, uncommitted changes included; GONE when removed, -1 when unknown."""
        if self._bulk:
            # Rows of a batch are not remembered one by one. Commit, so that looking into the index sees them: every
            # operation can be repeated, so half a batch of events is as good a state as a whole one.
            self.commit()
        if student_id in self._pending:
            return self._pending[student_id]
        if self._find("gone", student_id):
            return GONE
        found = self._find("id", student_id)
        versions = self._searcher.fast_field_values("version", found)
        return max((int(version) for version in versions if version is not None), default=-1)

    def _find(self, field: str, value: int) -> list[tantivy.DocAddress]:
        query = tantivy.Query.term_query(self._index.schema, field, value)
        return [address for _, address in self._searcher.search(query, limit=10, count=False).hits]

    def _reload(self) -> None:
        with self._failures():
            self._index.reload()
        self._searcher = self._index.searcher()
        self._pending: dict[int, int] = {}
        self._bulk = False
        marks = self._searcher.fast_field_values("version", self._find("gone", fields.DEMO_MARK))
        self._demo_mark = max((int(mark) for mark in marks if mark is not None), default=0)


GONE = 2**62
