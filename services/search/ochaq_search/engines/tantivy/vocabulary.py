"""The words an index holds, and which of them are near a query word.

Names repeat: a field has thousands of distinct words, so they are held in memory and compared one by one by rapidfuzz.
Almost every e-mail address is a word of its own: those stay in the index, whose automaton walks only the words that
can match, and the words are read back from the few documents found.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Protocol

import tantivy
from rapidfuzz.distance import OSA
from rapidfuzz.process import extract

from ochaq_search.engines.tantivy import schema as fields
from ochaq_search.fuzziness import MAX_EXPANSIONS, Expansion, auto_edits, best

READ_AT_ONCE = 1_000
# Twenty thousand words within two edits are enough to choose fifty from; a school of a million has some hundreds.
MAX_LOOKS = 20
# Few words this long have fifty others at distance one.
LONG = 9


class Vocabulary(Protocol):
    """Finds the expansions of a query word in one field."""

    def expand(self, term: str) -> list[tuple[Expansion, int]]:
        """The best expansions of `term`, each with its document frequency."""


class NameVocabulary:
    """The distinct words of one name field at one generation."""

    def __init__(self, searcher: tantivy.Searcher, field: str) -> None:
        self._frequency: dict[str, int] = dict(searcher.terms_with_prefix(field, ""))
        self._by_length: dict[int, list[str]] = defaultdict(list)
        for term in self._frequency:
            self._by_length[len(term)].append(term)

    def __len__(self) -> int:
        return len(self._frequency)

    def expand(self, term: str) -> list[tuple[Expansion, int]]:
        return [(found, self._frequency[found.term]) for found in best(term, self._near(term, auto_edits(term)))]

    def _near(self, term: str, edits: int) -> list[tuple[str, int]]:
        if edits == 0:
            return [(term, 0)] if term in self._frequency else []
        found: list[tuple[str, int]] = []
        # A word whose length differs by more than the allowed edits cannot be near.
        for length in range(len(term) - edits, len(term) + edits + 1):
            choices = self._by_length.get(length)
            if choices:
                near = extract(term, choices, scorer=OSA.distance, processor=None, limit=None, score_cutoff=edits)
                found.extend((word, int(distance)) for word, distance, _ in near)
        return found


class AddressVocabulary:
    """The distinct words of `local` or `address` at one generation, read from the index when asked."""

    def __init__(self, searcher: tantivy.Searcher, schema: tantivy.Schema, field: str) -> None:
        self._searcher = searcher
        self._schema = schema
        self._field = field

    def expand(self, term: str) -> list[tuple[Expansion, int]]:
        found = [(expansion, self._searcher.doc_freq(self._field, expansion.term)) for expansion in self._best(term)]
        return [(expansion, frequency) for expansion, frequency in found if frequency]

    def _best(self, term: str) -> list[Expansion]:
        edits = auto_edits(term)
        if edits == 0:
            return [Expansion(term, 1.0)]
        nearer: list[Expansion] = []
        # Every word at distance one weighs at least as much as any at distance two, so with enough of the former the
        # wider and much dearer search can change nothing.
        for distance in range(1 if len(term) < LONG else edits, edits + 1):
            nearer = best(term, self._near(term, distance))
            if len(nearer) == MAX_EXPANSIONS:
                break
        return nearer

    def _near(self, term: str, edits: int) -> list[tuple[str, int]]:
        words = self._words(tantivy.Query.fuzzy_term_query(self._schema, self._field, term, edits, True, False))
        near = extract(term, words, scorer=OSA.distance, processor=None, limit=None, score_cutoff=edits)
        return [(word, int(distance)) for word, distance, _ in near]

    def _words(self, query: tantivy.Query) -> list[str]:
        """The distinct words of the field in the documents that match.

        One word may stand in very many of them, so the words already found are left out of the next look.
        """
        words: set[str] = set()
        for _ in range(MAX_LOOKS):
            hits = self._searcher.search(self._without(words, query), limit=READ_AT_ONCE, count=False).hits
            words.update(fields.address_word(self._searcher.doc(address), self._field) for _, address in hits)
            if len(hits) < READ_AT_ONCE:
                break
        return list(words)

    def _without(self, words: set[str], query: tantivy.Query) -> tantivy.Query:
        if not words:
            return query
        known = tantivy.Query.term_set_query(self._schema, self._field, list(words))
        return tantivy.Query.boolean_query([(tantivy.Occur.Must, query), (tantivy.Occur.MustNot, known)])
