"""What an engine must do, whichever it is. Rules and doors know only this file."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import NamedTuple, Protocol


class EngineUnavailable(Exception):
    """The index cannot be read or written right now: it is missing, or being made."""


class StudentRow(NamedTuple):
    """One student as web streams it; field order is the order of the stored form."""

    id: int
    first_name: str
    last_name: str
    email: str
    demo: bool
    version: int


@dataclass(frozen=True, slots=True)
class Hit:
    """One found student. `highlight` holds escaped HTML per field in which something matched."""

    id: int
    first_name: str
    last_name: str
    email: str
    score: float
    highlight: dict[str, str]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of hits, best first, and the number of all matching students."""

    total: int
    hits: tuple[Hit, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """How much the index holds: all students, and how many of them are demo students."""

    generation: str
    documents: int
    demo_documents: int


class StudentReader(Protocol):
    """Answers queries from the newest committed index it knows."""

    @property
    def generation(self) -> str:
        """Changes with every commit that this reader has seen; raises EngineUnavailable without an index."""

    def search(self, query: str, *, limit: int, offset: int) -> Page:
        """Students that match `query` (design: Elasticsearch's fuzzy multi_match); raises EngineUnavailable."""

    def counts(self) -> Counts:
        """How many students the newest commit holds; raises EngineUnavailable."""

    def refresh(self) -> bool:
        """Look for a newer commit; True when there was one. Cheap when there was none."""

    def changes(self) -> AsyncIterator[None]:
        """Yields whenever there may be a newer commit, soon after it was made."""


class StudentWriter(Protocol):
    """Changes one index. Nothing is visible, and nothing survives a crash, before `commit`.

    Only one writer of an index exists at a time, and it is used by one thread at a time.
    """

    def put(self, rows: Iterable[StudentRow]) -> int:
        """Index rows that the source has now, replacing what the index has of them; returns how many."""

    def put_if_newer(self, row: StudentRow) -> bool:
        """Index one row unless the index already knows this version or a later one, its removal included."""

    def remove(self, student_id: int) -> bool:
        """Forget one student and remember that it is gone for good (ids are never used again); False if known."""

    def clear_range(self, first_id: int, last_id: int) -> None:
        """Forget the students of a range, which the source is about to be asked for again."""

    def remove_demo(self, up_to_id: int) -> None:
        """Forget every demo student with an id of at most `up_to_id`, for good: later news of them is old news."""

    def commit(self) -> None:
        """Make everything durable and visible to readers."""

    def rollback(self) -> None:
        """Forget everything since the last commit."""

    def close(self) -> None:
        """Release the index; uncommitted changes are lost."""

    @property
    def documents(self) -> int:
        """Students in the committed index."""


class StudentEngine(Protocol):
    """Makes readers and writers, and swaps a rebuilt index for the live one."""

    def reader(self) -> StudentReader:
        """A reader that serves whatever index is live; having none yet is no error until it is asked."""

    def writer(self) -> StudentWriter | None:
        """The writer of the live index, or None when there is no usable one and it must be rebuilt."""

    def building(self) -> StudentWriter:
        """The writer of a new, empty index beside the live one."""

    def publish(self, built: StudentWriter) -> str:
        """Make a built and committed index the live one, atomically; returns its name."""

    def discard(self, writer: StudentWriter) -> None:
        """Give up a building index and delete what was made of it."""

    def is_live(self, writer: StudentWriter) -> bool:
        """False when the index of `writer` is no longer the live one or its files have gone."""
