"""Breads, whole."""

from __future__ import annotations

import math

from ochaq_web.cookbook.plates.palette import darker, lighter
from ochaq_web.cookbook.plates.pen import MIDDLE, Drawing, circle, group, n, path, polar, stroke


def flat_loaf(drawing: Drawing, crust: str, r: float) -> None:
    rim = drawing.gradient((0.5, lighter(crust, 0.3), 1), (0.8, crust, 1), (1, darker(crust, 0.35), 1))
    drawing.add(circle(MIDDLE + 3, MIDDLE + 7, r, "#2a1206", 'opacity=".32"') + circle(MIDDLE, MIDDLE, r, rim))
    heart = drawing.gradient((0, lighter(crust, 0.42), 1), (1, lighter(crust, 0.08), 1))
    drawing.add(circle(MIDDLE, MIDDLE, r * 0.66, darker(crust, 0.25)) + circle(MIDDLE, MIDDLE + 1, r * 0.65, heart))
    for ring, count in ((0.2, 8), (0.38, 14), (0.54, 20)):
        for index in range(count):
            x, y = polar(index * math.tau / count, r * ring, MIDDLE, MIDDLE)
            drawing.add(circle(x, y, 1.8, darker(crust, 0.45), 'opacity=".8"'))


def ring_loaves(drawing: Drawing, crust: str, r: float) -> None:
    twist = "".join(
        stroke("M0-7Q5 0 0 7", darker(crust, 0.3), 2.2, f'transform="rotate({t}) translate(31 0)"')
        for t in range(0, 360, 24)
    )
    one = drawing.define(
        circle(2, 6, 31, "none", 'stroke="#2a1206" stroke-width="22" opacity=".28"')
        + circle(0, 0, 31, "none", f'stroke="{darker(crust, 0.25)}" stroke-width="22"')
        + circle(-1, -1.4, 31, "none", f'stroke="{crust}" stroke-width="18"')
        + circle(-2, -3, 31, "none", f'stroke="{lighter(crust, 0.3)}" stroke-width="7" opacity=".7"')
        + twist
    )
    turn = drawing.rnd.uniform(0, math.tau)
    for index in range(3):
        x, y = polar(turn + index * math.tau / 3, r * 0.5, MIDDLE, MIDDLE)
        drawing.use(one, x, y, turn=index * 40, scale=1.08)


def long_loaf(drawing: Drawing, crust: str, r: float) -> None:
    d = f"M{n(-r)} 0C{n(-r)}-62 {n(r)}-62 {n(r)} 0C{n(r)} 62 {n(-r)} 62 {n(-r)} 0Z"
    face = drawing.gradient((0, lighter(crust, 0.3), 1), (0.7, crust, 1), (1, darker(crust, 0.35), 1))
    cuts = "".join(
        stroke(f"M{x - 9}-26Q{x + 5} 0 {x + 3} 27", lighter(crust, 0.6), 8)
        + stroke(f"M{x - 9}-26Q{x + 5} 0 {x + 3} 27", darker(crust, 0.3), 1.4)
        for x in (-58, -20, 18, 56)
    )
    loaf = group(path(d, "#2a1206"), "translate(4 9)", 'opacity=".32"') + path(d, face) + cuts
    drawing.add(group(loaf, f"translate({MIDDLE:g} {MIDDLE:g}) rotate({drawing.rnd.choice([-28, 24, -50, 40])})"))
