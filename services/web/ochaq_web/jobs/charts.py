"""Bars drawn by the server: numbers in, the geometry of an SVG out. Colours are the style sheet's."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

WIDTH, HEIGHT = 720, 160  # of the drawing, in its own units
GAP = 0.2  # of a bar's share of the width
STEPS = (1, 2, 5)


def bars(rows: Sequence[Mapping[str, Any]], parts: Sequence[str]) -> dict[str, Any]:
    """Stacked bars of `rows`, each with a number for each of `parts`, the lowest part first.

    `{width, height, top, bars, total}`: `top` is the value at the upper edge; each bar is its row, its total and its
    pieces `{part, x, y, width, height}`.
    """
    totals = [sum(row[part] for part in parts) for row in rows]
    top = ceiling(max(totals, default=0))
    share = WIDTH / max(1, len(rows))
    drawn = [
        {
            "row": row,
            "total": total,
            "x": _r(share * place),
            "width": _r(share),
            "pieces": _stack(row, parts, share, place, top),
        }
        for place, (row, total) in enumerate(zip(rows, totals, strict=True))
    ]
    return {"width": WIDTH, "height": HEIGHT, "top": top, "half": top / 2, "bars": drawn, "total": sum(totals)}


def ceiling(value: float) -> int:
    """The next round number at or above: 1, 2 or 5 times a power of ten, and at least 1."""
    if value <= 1:
        return 1
    power = 10 ** math.floor(math.log10(value))
    return next(int(step * power) for step in (*STEPS, 10) if step * power >= value)


def _stack(row: Mapping[str, Any], parts: Sequence[str], share: float, place: int, top: int) -> list[dict[str, Any]]:
    pieces, y = [], float(HEIGHT)
    for part in parts:
        if not row[part]:
            continue
        # At least a hair's breadth: one failure among ten thousand must be seen.
        height = max(2.0, HEIGHT * row[part] / top)
        y = max(0.0, y - height)
        x = share * (place + GAP / 2)
        pieces.append({"part": part, "x": _r(x), "y": _r(y), "width": _r(share * (1 - GAP)), "height": _r(height)})
    return pieces


def _r(number: float) -> str:
    """As SVG reads it, whatever the reader's language does with decimal points."""
    return f"{number:.1f}"
