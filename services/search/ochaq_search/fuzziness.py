"""Lucene's meaning of a fuzzy word, which is also Elasticsearch's: how far, which words, and how much each counts.

Sources: Lucene's FuzzyTermsEnum, TopTermsRewrite and BlendedTermQuery (version 8), Elasticsearch's Fuzziness.AUTO.
A word matches every word of the vocabulary within `auto_edits` edits (insertion, deletion, substitution, transposition
of neighbours; optimal string alignment), as long as the distance is less than the shorter word's length. The best
`MAX_EXPANSIONS` by boost, ties by the word itself, are searched instead of it. All of them share the greatest document
frequency among them, so that a rare misspelling in the data does not outrank the right name.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable
from typing import NamedTuple

MAX_EXPANSIONS = 50


class Expansion(NamedTuple):
    """One word of the vocabulary that a query word stands for, and the weight of a match (1 for the word itself)."""

    term: str
    boost: float


def auto_edits(term: str) -> int:
    """Elasticsearch's `fuzziness: AUTO`: no edit below three characters, one up to five, two above."""
    length = len(term)
    return 0 if length < 3 else 1 if length < 6 else 2


def boost(term: str, other: str, distance: int) -> float:
    """`1 - distance / min(length)`; zero or less means that the two words do not match."""
    return 1.0 - distance / min(len(term), len(other)) if distance else 1.0


def best(term: str, found: Iterable[tuple[str, int]]) -> list[Expansion]:
    """The expansions to search, best first, from `(vocabulary word, distance)` pairs within `auto_edits`."""
    candidates = (Expansion(other, boost(term, other, distance)) for other, distance in found)
    matching = [candidate for candidate in candidates if candidate.boost > 0]
    # Code points sort like the UTF-8 bytes that Lucene compares.
    return heapq.nsmallest(MAX_EXPANSIONS, matching, key=lambda candidate: (-candidate.boost, candidate.term))


def idf(documents: int, frequency: int) -> float:
    """BM25's inverse document frequency as Lucene and tantivy write it."""
    return math.log(1.0 + (documents - frequency + 0.5) / (frequency + 0.5))
