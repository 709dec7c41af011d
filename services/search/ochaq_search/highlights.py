"""Marking what matched: escaped HTML in which only `<mark>` is markup."""

from __future__ import annotations

from collections.abc import Container
from html import escape

from ochaq_search.folding import address_terms, name_words

OPEN, CLOSE = "<mark>", "</mark>"


def mark_name(text: str, terms: Container[str]) -> str | None:
    """`text` as HTML with its matching words marked, or None when no word matched."""
    parts: list[str] = []
    at = 0
    for word in name_words(text):
        if any(term in terms for term in word.terms):
            parts += [escape(text[at : word.start]), OPEN, escape(text[word.start : word.end]), CLOSE]
            at = word.end
    return "".join([*parts, escape(text[at:])]) if parts else None


def mark_address(email: str, locals_: Container[str], addresses: Container[str]) -> str | None:
    """The e-mail as HTML with what matched marked: all of it, or its local part; None when neither did."""
    local, whole = address_terms(email)
    if whole in addresses:
        return f"{OPEN}{escape(email)}{CLOSE}"
    if local in locals_:
        written, at, domain = email.rpartition("@")
        return f"{OPEN}{escape(written if at else domain)}{CLOSE}" + (escape(at + domain) if at else "")
    return None
