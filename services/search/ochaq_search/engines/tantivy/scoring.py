"""Turns a text into one tantivy query that scores like Lucene's multi_match with fuzziness."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import tantivy

from ochaq_search.engines.tantivy import schema as fields
from ochaq_search.engines.tantivy.vocabulary import Vocabulary
from ochaq_search.folding import address_chunks, name_terms
from ochaq_search.fuzziness import idf

Weights = dict[str, float]
# What counts as one field to a query: the scores within a group add up, the best group decides.
SCORED = ((fields.FIRST,), (fields.LAST,), (fields.LOCAL, fields.ADDRESS))


@dataclass(frozen=True)
class Plan:
    """The query for the engine, and the words per field that it looks for (what a highlight marks)."""

    query: tantivy.Query | None
    words: Mapping[str, Weights]


def plan(text: str, schema: tantivy.Schema, vocabularies: Mapping[str, Vocabulary], documents: int) -> Plan:
    """`best_fields`: the best of first name, last name and e-mail counts; within a field all words' scores add up."""
    words = {field: weigh(terms, vocabularies[field], documents) for field, terms in field_terms(text).items() if terms}
    groups = [_group(schema, words, names) for names in SCORED]
    found = [group for group in groups if group is not None]
    return Plan(tantivy.Query.disjunction_max_query(found) if found else None, words)


def field_terms(text: str) -> dict[str, list[str]]:
    """The words to look for in each field.

    A word with `@` is an address: it is looked for among addresses, its local part among local parts, and nothing of it
    among names, where `example` and `com` would only find strangers.
    """
    chunks = address_chunks(text)
    names = [term for chunk in text.split() if "@" not in chunk for term in name_terms(chunk)]
    return {
        fields.FIRST: names,
        fields.LAST: names,
        fields.LOCAL: [chunk.rpartition("@")[0] if "@" in chunk else chunk for chunk in chunks],
        fields.ADDRESS: [chunk for chunk in chunks if "@" in chunk],
    }


def weigh(terms: Iterable[str], vocabulary: Vocabulary, documents: int) -> Weights:
    """The words to search and the factor on each word's BM25 score.

    The engine scores a word by its own document frequency; the factor replaces that by the greatest frequency among
    the expansions of the query word (Lucene's BlendedTermQuery), and multiplies by the expansion's boost.
    """
    weights: Weights = {}
    for term in terms:
        expansions = vocabulary.expand(term)
        greatest = max((frequency for _, frequency in expansions), default=0)
        for expansion, frequency in expansions:
            factor = expansion.boost * idf(documents, greatest) / idf(documents, frequency)
            weights[expansion.term] = weights.get(expansion.term, 0.0) + factor
    return weights


def _group(schema: tantivy.Schema, words: Mapping[str, Weights], names: Iterable[str]) -> tantivy.Query | None:
    """Any of the words of these fields; their scores are added."""
    clauses = [
        (tantivy.Occur.Should, _term(schema, field, term, weight))
        for field in names
        for term, weight in words.get(field, {}).items()
    ]
    return tantivy.Query.boolean_query(clauses) if clauses else None


def _term(schema: tantivy.Schema, field: str, term: str, weight: float) -> tantivy.Query:
    return tantivy.Query.boost_query(tantivy.Query.term_query(schema, field, term, "freq"), weight)
