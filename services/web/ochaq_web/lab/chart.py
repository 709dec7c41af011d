"""The measured rounds as bars, drawn by the server: numbers for an SVG, in the units of its viewBox.

The scale is linear on purpose. A logarithmic one would make a hundredfold difference look like a small one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

WIDTH = 360
LABEL, ROUND_GAP, BAR, BAR_GAP = 16, 14, 12, 4
ROOM_FOR_VALUE = 60
LEAST_WIDTH = 1.0  # what is there must be seen


@dataclass(frozen=True)
class Bar:
    """One side's time in one round; `value_x` is where its figure stands."""

    way: str
    y: float
    width: float
    seconds: float

    @property
    def value_x(self) -> float:
        return self.width + 5

    @property
    def text_y(self) -> float:
        return self.y + BAR - 2


@dataclass(frozen=True)
class Group:
    """One round: its head line and its two bars."""

    number: int
    ratio: float
    text_y: float
    bars: tuple[Bar, Bar]


@dataclass(frozen=True)
class Chart:
    """Everything the template draws."""

    width: int
    height: float
    groups: tuple[Group, ...]
    bar_height: int = BAR


def chart_of(rounds: Sequence[dict[str, Any]]) -> Chart | None:
    """The chart of numbered rounds with their ratios; None when nothing was measured yet."""
    if not rounds:
        return None
    longest = max(max(row["naive_seconds"], row["ours_seconds"]) for row in rounds) or 1.0
    step = LABEL + 2 * BAR + BAR_GAP + ROUND_GAP
    groups = tuple(_group(row, index * step, longest) for index, row in enumerate(rounds))
    return Chart(WIDTH, len(rounds) * step - ROUND_GAP, groups)


def _group(row: dict[str, Any], top: float, longest: float) -> Group:
    first, second = top + LABEL, top + LABEL + BAR + BAR_GAP
    bars = (_bar("naive", first, row["naive_seconds"], longest), _bar("ours", second, row["ours_seconds"], longest))
    return Group(row["number"], row["ratio"], top + LABEL - 4, bars)


def _bar(way: str, y: float, seconds: float, longest: float) -> Bar:
    width = max(LEAST_WIDTH, (WIDTH - ROOM_FOR_VALUE) * seconds / longest)
    return Bar(way, y, round(width, 2), seconds)
