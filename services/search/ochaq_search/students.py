"""Finding students: the one rule both answer shapes share."""

from __future__ import annotations

from collections import OrderedDict

from ochaq_shared.problems import Problem

from ochaq_search.engines.base import Counts, EngineUnavailable, Page, StudentReader
from ochaq_search.problems import INDEX_MISSING

MAX_QUERY = 200
MAX_LIMIT = 200
DEFAULT_LIMIT = 25
MAX_OFFSET = 10_000
# The older answer shape has no paging; it gets as much as one page of the newer can hold.
WHOLE = MAX_LIMIT

Key = tuple[str, str, int, int]


class StudentSearch:
    """Asks the engine, and remembers answers as long as the index they came from is the newest.

    Used by one thread, the event loop's: an answer takes less time than handing it to another thread would.
    """

    def __init__(self, reader: StudentReader, *, remembered: int) -> None:
        self._reader = reader
        self._remembered = remembered
        self._answers: OrderedDict[Key, Page] = OrderedDict()

    def find(self, query: str, *, limit: int, offset: int) -> Page:
        """One page of students; raises Problem(search.index_missing) while there is no index."""
        try:
            key = (self._reader.generation, query, limit, offset)
            known = self._answers.get(key)
            if known is not None:
                self._answers.move_to_end(key)
                return known
            return self._remember(key, self._reader.search(query, limit=limit, offset=offset))
        except EngineUnavailable as error:
            raise Problem(INDEX_MISSING, retry_after=1) from error

    def counts(self) -> Counts:
        """How much the index holds; raises Problem(search.index_missing) while there is no index."""
        try:
            return self._reader.counts()
        except EngineUnavailable as error:
            raise Problem(INDEX_MISSING, retry_after=1) from error

    def _remember(self, key: Key, page: Page) -> Page:
        self._answers[key] = page
        while len(self._answers) > self._remembered:
            self._answers.popitem(last=False)
        return page
