"""Searching: one immutable snapshot of the newest commit, replaced whole when there is a newer one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
import structlog
import tantivy

from ochaq_search.engines.base import Counts, EngineUnavailable, Hit, Page
from ochaq_search.engines.tantivy import pointer as pointers
from ochaq_search.engines.tantivy import schema as fields
from ochaq_search.engines.tantivy.scoring import Plan, plan
from ochaq_search.engines.tantivy.vocabulary import AddressVocabulary, NameVocabulary, Vocabulary
from ochaq_search.engines.tantivy.watching import DirectoryWatch
from ochaq_search.highlights import mark_address, mark_name

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Snapshot:
    """One commit of one index, ready to be searched."""

    pointer: pointers.Pointer
    index: tantivy.Index
    searcher: tantivy.Searcher
    vocabularies: Mapping[str, Vocabulary]
    documents: int


class TantivyReader:
    """Serves the live index under `root`. When the files vanish it goes on with what it has open."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._seen: tuple[int, int] | None = None
        self._snapshot: Snapshot | None = None

    @property
    def generation(self) -> str:
        return self._current().pointer.generation

    @property
    def documents(self) -> int:
        return self._current().documents

    def refresh(self) -> bool:
        seen = pointers.identity(self._root)
        if seen is None or seen == self._seen:
            return False
        pointer = pointers.read(self._root)
        if pointer is None or pointer.schema != fields.VERSION:
            return False
        try:
            self._snapshot = load(self._root, pointer, self._snapshot)
        except (ValueError, OSError) as error:
            # A rebuild may swap and clean up between our reading the pointer and opening the index: the next look
            # at the pointer, which has changed by then, succeeds.
            log.warning("index.unreadable", index=pointer.index, error=str(error))
            return False
        self._seen = seen
        return True

    def changes(self) -> AsyncIterator[None]:
        return DirectoryWatch(self._root).changes()

    def search(self, query: str, *, limit: int, offset: int) -> Page:
        snapshot = self._current()
        planned = plan(query, snapshot.index.schema, snapshot.vocabularies, snapshot.documents)
        if planned.query is None:
            return Page(0, ())
        found = snapshot.searcher.search(planned.query, limit=limit, offset=offset, count=True)
        hits = tuple(_hit(snapshot.searcher, score, address, planned) for score, address in found.hits)
        return Page(fields.total(found), hits)

    def counts(self) -> Counts:
        snapshot = self._current()
        every = tantivy.Query.exists_query("id")
        demo = tantivy.Query.term_query(snapshot.index.schema, "demo", True)
        return Counts(snapshot.pointer.generation, _count(snapshot, every), _count(snapshot, demo))

    def _current(self) -> Snapshot:
        if self._snapshot is None:
            raise EngineUnavailable("there is no index to read")
        return self._snapshot


def load(root: Path, pointer: pointers.Pointer, previous: Snapshot | None) -> Snapshot:
    """Open the pointer's index, or only its new commit when the previous snapshot has it open."""
    if previous is not None and previous.pointer.index == pointer.index:
        index = previous.index
    else:
        index = tantivy.Index.open(str(root / pointer.index))
        # Reloading is asked for by the pointer; the engine's own watcher would poll the disk all the time.
        index.config_reader("manual")
    index.reload()
    searcher = index.searcher()
    vocabularies: dict[str, Vocabulary] = {name: NameVocabulary(searcher, name) for name in fields.NAME_FIELDS}
    vocabularies |= {n: AddressVocabulary(searcher, index.schema, n) for n in (fields.LOCAL, fields.ADDRESS)}
    return Snapshot(pointer, index, searcher, vocabularies, scored_documents(searcher, index.schema))


def scored_documents(searcher: tantivy.Searcher, schema: tantivy.Schema) -> int:
    """The number of documents that the engine's BM25 works with.

    It includes deleted ones that no merge has dropped yet, which the binding tells only through an explanation.
    """
    everything = tantivy.Query.exists_query("id")
    hits = searcher.search(everything, limit=1, count=False).hits
    if not hits:
        return 0
    (student_id,) = searcher.fast_field_values("id", [hits[0][1]])
    one = tantivy.Query.term_query(schema, "id", student_id)
    explanation = orjson.loads(one.explain(searcher, hits[0][1]).to_json())
    return _find_total(explanation)


def _find_total(explanation: Mapping[str, object]) -> int:
    """The value that tantivy describes as `N, total number of docs`, anywhere in its explanation."""
    if str(explanation.get("description", "")).startswith("N,"):
        return int(str(explanation["value"]).partition(".")[0])
    details = explanation.get("details") or []
    assert isinstance(details, list)
    return max((_find_total(detail) for detail in details), default=0)


def _count(snapshot: Snapshot, query: tantivy.Query) -> int:
    """The number of documents that match, deleted ones left out."""
    return fields.total(snapshot.searcher.search(query, limit=1, count=True))


def _hit(searcher: tantivy.Searcher, score: float, address: tantivy.DocAddress, planned: Plan) -> Hit:
    student_id, first, last, email = orjson.loads(fields.source(searcher.doc(address)))
    words = planned.words
    marked = {
        "first_name": mark_name(first, words.get(fields.FIRST, {})),
        "last_name": mark_name(last, words.get(fields.LAST, {})),
        "email": mark_address(email, words.get(fields.LOCAL, {}), words.get(fields.ADDRESS, {})),
    }
    highlight = {field: html for field, html in marked.items() if html is not None}
    return Hit(student_id, first, last, email, round(score, 6), highlight)
