"""What is marked, and that nothing else is markup."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from ochaq_search.folding import name_terms
from ochaq_search.highlights import mark_address, mark_name


def test_the_matching_words_of_a_name_are_marked_as_they_are_written() -> None:
    assert mark_name("Anne-Gülşen O'Brien", {"gulsen", "obrien"}) == (
        "Anne-<mark>Gülşen</mark> <mark>O&#x27;Brien</mark>"
    )
    assert mark_name("Anne", {"bob"}) is None


def test_markup_in_a_name_is_text() -> None:
    assert mark_name("<b>Ann</b> & co", {"ann"}) == "&lt;b&gt;<mark>Ann</mark>&lt;/b&gt; &amp; co"


def test_an_address_is_marked_whole_or_by_its_local_part() -> None:
    assert mark_address("Ann@x.org", {"ann"}, set()) == "<mark>Ann</mark>@x.org"
    assert mark_address("Ann@x.org", {"ann"}, {"ann@x.org"}) == "<mark>Ann@x.org</mark>"
    assert mark_address("<i>@x.org", {"<i>"}, set()) == "<mark>&lt;i&gt;</mark>@x.org"
    assert mark_address("Ann@x.org", {"bob"}, set()) is None


@given(st.text(max_size=40))
def test_without_the_marks_the_text_is_whole_and_safe(text: str) -> None:
    marked = mark_name(text, set(name_terms(text)))
    if marked is not None:
        bare = marked.replace("<mark>", "").replace("</mark>", "")
        assert "<" not in bare
        from html import unescape

        assert unescape(bare) == text
