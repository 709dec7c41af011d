"""How far a word reaches."""

from __future__ import annotations

import pytest
from ochaq_search.fuzziness import MAX_EXPANSIONS, Expansion, auto_edits, best, boost


@pytest.mark.parametrize(
    ("term", "edits"), [("a", 0), ("ab", 0), ("abc", 1), ("abcde", 1), ("abcdef", 2), ("ж" * 6, 2)]
)
def test_edits_grow_with_the_word(term: str, edits: int) -> None:
    assert auto_edits(term) == edits


def test_a_match_weighs_less_the_farther_and_the_shorter_it_is() -> None:
    assert boost("smith", "smith", 0) == 1.0
    assert boost("smyth", "smith", 1) == pytest.approx(0.8)
    assert boost("smyth", "smit", 1) == pytest.approx(0.75)
    assert boost("johnson", "jonsson", 2) == pytest.approx(1 - 2 / 7)


def test_words_as_far_apart_as_the_shorter_is_long_do_not_match() -> None:
    assert best("abc", [("abc", 0), ("z", 1)]) == [Expansion("abc", 1.0)]


def test_the_best_fifty_stay_and_ties_go_by_the_word() -> None:
    found = [(f"smit{letter}", 1) for letter in reversed("abcdefghijklmnopqrstuvwxyz")]
    found += [(f"{letter}mith", 1) for letter in "abcdefghijklmnopqrstuvwxyz"] + [("smith", 0), ("smit", 1)]
    kept = best("smith", found)
    assert len(kept) == MAX_EXPANSIONS
    assert kept[0] == Expansion("smith", 1.0)
    assert [one.term for one in kept[1:]] == sorted(one.term for one in kept[1:])
    assert "smit" not in {one.term for one in kept}
