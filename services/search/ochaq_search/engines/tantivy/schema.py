"""What one tantivy document holds. A changed schema needs another `VERSION`: older indexes are then rebuilt."""

from __future__ import annotations

import orjson
import tantivy

from ochaq_search.engines.base import StudentRow
from ochaq_search.folding import address_terms, name_terms

VERSION = 2

FIRST = "first"
LAST = "last"
LOCAL = "local"
ADDRESS = "address"
NAME_FIELDS = (FIRST, LAST)

# A document with `gone` instead of `id` remembers a removal; this one remembers up to where demo students are gone.
DEMO_MARK = -1


def make_schema() -> tantivy.Schema:
    """Words are folded before they come here, so the engine only splits at white space, or not at all.

    `local` and `address` are one field to a query (its two words); as two fields of the engine each has a vocabulary
    half the size.
    """
    builder = tantivy.SchemaBuilder()
    builder.add_integer_field("id", indexed=True, fast=True)
    builder.add_integer_field("gone", indexed=True, fast=True)
    builder.add_integer_field("version", fast=True)
    builder.add_boolean_field("demo", indexed=True)
    builder.add_text_field(FIRST, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field(LAST, tokenizer_name="whitespace", index_option="freq")
    builder.add_text_field(LOCAL, tokenizer_name="raw", index_option="freq")
    builder.add_text_field(ADDRESS, tokenizer_name="raw", index_option="freq")
    builder.add_bytes_field("source", stored=True)
    return builder.build()


def document(row: StudentRow) -> tantivy.Document:
    """The document of one student. `source` is one stored value: decoding one is cheaper than four."""
    local, address = address_terms(row.email)
    return tantivy.Document(
        id=row.id,
        version=row.version,
        demo=row.demo,
        first=" ".join(name_terms(row.first_name)),
        last=" ".join(name_terms(row.last_name)),
        local=local,
        address=address,
        source=orjson.dumps((row.id, row.first_name, row.last_name, row.email)),
    )


def tombstone(student_id: int, version: int = 0) -> tantivy.Document:
    """The document that says a student is gone; for `DEMO_MARK`, `version` is the id up to which all are."""
    return tantivy.Document(gone=student_id, version=version)


def source(found: tantivy.Document) -> bytes:
    """The stored JSON of a student's document."""
    value = found.get_first("source")
    assert value is not None, "tombstones match no query"
    return bytes(value)


def address_word(found: tantivy.Document, field: str) -> str:
    """The word that a student's document has in `local` or `address`."""
    local, address = address_terms(orjson.loads(source(found))[3])
    return local if field == LOCAL else address


def total(found: tantivy.SearchResult) -> int:
    """How many documents matched; the binding's type stubs forget this attribute."""
    return int(found.count)  # type: ignore[attr-defined]
