"""Amounts: exact as text, exact as fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ochaq_web.cookbook.amounts import amount_display, amount_text

AMOUNTS = st.decimals(min_value=0, max_value=Decimal("999.999"), places=3)


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("0.125", "1/8"),
        ("0.250", "1/4"),
        ("1.500", "1 1/2"),
        ("2.000", "2"),
        ("0.000", "0"),
        ("0.333", "0.333"),
        ("1.100", "1.1"),
        ("100.000", "100"),
        ("0.375", "3/8"),
        ("12.750", "12 3/4"),
    ],
)
def test_amounts_read_as_a_cook_writes_them(amount: str, shown: str) -> None:
    assert amount_display(Decimal(amount)) == shown


def test_no_amount_is_no_text() -> None:
    assert amount_display(None) == ""
    assert amount_text(None) is None


@given(AMOUNTS)
def test_what_is_shown_has_exactly_the_amounts_value(amount: Decimal) -> None:
    assert sum(Fraction(part) for part in amount_display(amount).split()) == Fraction(amount)


@given(AMOUNTS)
def test_the_text_always_has_three_places(amount: Decimal) -> None:
    text = amount_text(amount)
    assert text is not None
    assert Decimal(text) == amount
    assert len(text.partition(".")[2]) == 3
