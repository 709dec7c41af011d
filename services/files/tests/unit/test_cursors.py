"""Cursors of keyset pages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_files.cursors import Cursor, cursor_parse, page_of
from ochaq_shared.problems import Problem


def fine(_key: str) -> bool:
    return True


@given(st.text(min_size=1), st.booleans())
def test_a_cursor_comes_back_as_it_was(key: str, back: bool) -> None:
    if not key.isascii() and any(0xD800 <= ord(character) <= 0xDFFF for character in key):
        return
    assert cursor_parse(Cursor(key, back).encode(), fine) == Cursor(key, back)


@pytest.mark.parametrize("raw", ["", "%%%", "e30", "WzFd", "bnVsbA", "W251bGwsdHJ1ZV0", "ş", "A" * 5000])
def test_what_is_no_cursor_is_refused(raw: str) -> None:
    with pytest.raises(Problem) as refused:
        cursor_parse(raw, fine)
    assert refused.value.status == 422


def test_a_first_page_with_more_rows_has_a_next_and_no_previous() -> None:
    page = page_of(["a", "b", "c"], Cursor(), 2, str)
    assert (page.results, page.next is not None, page.previous) == (["a", "b"], True, None)


def test_a_page_read_backwards_is_turned_round() -> None:
    page = page_of(["c", "b", "a"], Cursor("d", back=True), 2, str)
    assert page.results == ["b", "c"]
    assert page.next is not None
    assert page.previous is not None
