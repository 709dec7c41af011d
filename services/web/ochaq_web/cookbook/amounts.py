"""Amounts are exact decimals with three places; people read them as fractions."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

PLACES = Decimal("0.001")
# Kitchens know halves, quarters, eighths and sixteenths. Others stay decimals: 0.333 is not one third.
SPOKEN_DENOMINATORS = frozenset({2, 4, 8, 16})


def amount_text(amount: Decimal | None) -> str | None:
    """The amount as the API writes it: always three places, so that equal amounts are equal strings."""
    return None if amount is None else str(amount.quantize(PLACES))


def amount_display(amount: Decimal | None) -> str:
    """The amount as a cook writes it: `1 1/2`. It always has exactly the amount's value."""
    if amount is None:
        return ""
    whole, rest = divmod(Fraction(amount), 1)
    if not rest:
        return str(whole)
    if rest.denominator not in SPOKEN_DENOMINATORS:
        return f"{amount.normalize():f}"
    return f"{whole} {rest}" if whole else str(rest)
