"""The engine's answers against Lucene's formula written out plainly: every score, not only the order."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterable

import pytest
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.folding import address_terms, name_terms
from ochaq_search.fuzziness import auto_edits

K1, B = 1.2, 0.75
FIRST = ["Gülşen", "Gulsen", "Mehmet", "Mehmed", "Anna", "Ana", "Anne Marie", "Жасур", "Oʻtkir", "John", "Jon", "Li"]
LAST = [
    "Smith",
    "Smyth",
    "Smithe",
    "Johnson",
    "Jonson",
    "Johnston",
    "Öztürk",
    "Van der Berg",
    "Karimova",
    "Karimov",
    "Oz",
]


def osa(left: str, right: str) -> int:
    """Optimal string alignment by its textbook table."""
    table = [[i + j if i * j == 0 else 0 for j in range(len(right) + 1)] for i in range(len(left) + 1)]
    for i in range(1, len(left) + 1):
        for j in range(1, len(right) + 1):
            same = left[i - 1] == right[j - 1]
            table[i][j] = min(table[i - 1][j] + 1, table[i][j - 1] + 1, table[i - 1][j - 1] + (not same))
            if i > 1 and j > 1 and left[i - 1] == right[j - 2] and left[i - 2] == right[j - 1]:
                table[i][j] = min(table[i][j], table[i - 2][j - 2] + 1)
    return table[-1][-1]


class Reference:
    """Lucene 8: FuzzyQuery rewritten by TopTermsBlendedFreqScoring, BM25, best_fields. No index, no shortcuts."""

    def __init__(self, rows: Iterable[StudentRow]) -> None:
        self.documents = {
            row.id: {
                "first": name_terms(row.first_name),
                "last": name_terms(row.last_name),
                "email": address_terms(row.email),
            }
            for row in rows
        }
        fields = ("first", "last", "email")
        self.frequency = {
            field: Counter(term for doc in self.documents.values() for term in set(doc[field])) for field in fields
        }
        self.average = {
            field: sum(len(doc[field]) for doc in self.documents.values()) / len(self.documents) for field in fields
        }

    def search(self, query: str) -> dict[int, float]:
        addresses = [address_terms(word) for word in query.split() if "@" in word]
        names = [term for word in query.split() if "@" not in word for term in name_terms(word)]
        locals_ = [word.lower() for word in query.split() if "@" not in word]
        asked = {"first": names, "last": names, "email": locals_ + [term for both in addresses for term in both]}
        scores: dict[int, float] = {}
        for field, terms in asked.items():
            for number, score in self._field(field, terms).items():
                scores[number] = max(scores.get(number, 0.0), score)
        return scores

    def _field(self, field: str, terms: list[str]) -> dict[int, float]:
        scores: dict[int, float] = {}
        for term in terms:
            expansions = self._expand(field, term)
            greatest = max((self.frequency[field][other] for other in expansions), default=0)
            weight = math.log(1 + (len(self.documents) - greatest + 0.5) / (greatest + 0.5))
            for number, document in self.documents.items():
                words = document[field]
                norm = K1 * (1 - B + B * len(words) / self.average[field])
                for other, boost in expansions.items():
                    count = words.count(other)
                    if count:
                        scores[number] = scores.get(number, 0.0) + boost * weight * count * (K1 + 1) / (count + norm)
        return scores

    def _expand(self, field: str, term: str) -> dict[str, float]:
        found = {}
        for other in self.frequency[field]:
            distance = osa(term, other)
            if distance <= auto_edits(term) and distance < min(len(term), len(other)):
                found[other] = 1 - distance / min(len(term), len(other))
        return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:50])


def rows(count: int, seed: int = 7) -> list[StudentRow]:
    rnd = random.Random(seed)
    made = []
    for number in range(1, count + 1):
        first, last = rnd.choice(FIRST), rnd.choice(LAST)
        local = f"{name_terms(first)[0]}.{name_terms(last)[0]}{rnd.randrange(60)}"
        made.append(StudentRow(number, first, last, f"{local}@example.{rnd.choice(('com', 'org'))}", True, 1))
    return made


QUERIES = [
    "Gulsen", "Gülşen", "gulsne", "smith", "smyht", "Jonhson", "johnsson", "anne marie", "marie anne", "van der berg",
    "karimov", "karimva", "jasur", "zhasur", "жасур", "otkir", "o'tkir", "li", "oz", "ozturk", "john smith", "a b c",
    "john.smith12", "john.smith12@example.com", "jon.smith1@example.org", "anna.karimova7@exmaple.com", "nobody at all",
]  # fmt: skip


@pytest.fixture(scope="module")
def school() -> list[StudentRow]:
    return rows(400)


@pytest.mark.parametrize("query", QUERIES)
def test_every_score_is_lucenes(query: str, school: list[StudentRow], indexed: Callable[..., TantivyReader]) -> None:
    expected = Reference(school).search(query)
    page = indexed(*school).search(query, limit=200, offset=0)
    assert page.total == len(expected)
    for hit in page.hits:
        assert hit.score == pytest.approx(expected[hit.id], rel=1e-4)
    best = sorted(expected.values(), reverse=True)[:200]
    assert [hit.score for hit in page.hits] == pytest.approx(best, rel=1e-4)


def test_deleted_students_neither_answer_nor_crowd_out_the_living(indexed: Callable[..., TantivyReader]) -> None:
    school = rows(300)
    reader = indexed(*school)
    from ochaq_search.engines.tantivy.engine import TantivyEngine

    engine = TantivyEngine(reader._root, writer_bytes=15_000_000)
    writer = engine.writer()
    assert writer is not None
    gone = {row.id for row in school if row.id % 2}
    for number in gone:
        writer.remove(number)
    writer.commit()
    assert reader.refresh()
    living = [row for row in school if row.id not in gone]
    for query in QUERIES:
        page = reader.search(query, limit=200, offset=0)
        expected = Reference(living).search(query)
        assert {hit.id for hit in page.hits} <= set(expected)
        assert page.total == len(expected)
    writer.close()
