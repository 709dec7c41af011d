"""What a cook's hands do on every plate: pour, heap, strew, draw through, and finish."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ochaq_web.cookbook.plates import motifs
from ochaq_web.cookbook.plates.dish import Dish, Part
from ochaq_web.cookbook.plates.palette import blend, darker, lighter
from ochaq_web.cookbook.plates.pen import MIDDLE, Drawing, blob, circle, group, n, path, polar, stroke


def strew(drawing: Drawing, parts: Sequence[Part], r: float, count: int, *, size: tuple[float, float]) -> None:
    """Pieces over a disc, evenly but not in rows: a sunflower's spiral, jittered. The most there is shows most."""
    if not parts:
        return
    rnd = drawing.rnd
    variants = {
        part.name + part.colour: [drawing.define(motifs.draw(part.motif, rnd, part.colour)) for _ in range(2)]
        for part in parts
    }
    shares = [max(part.grams, 1) ** 0.35 for part in parts]
    turn = rnd.uniform(0, math.tau)
    order = list(range(count))
    rnd.shuffle(order)
    for index in order:
        angle = turn + index * 2.39996 + rnd.uniform(-0.3, 0.3)
        distance = r * math.sqrt((index + 0.5) / count) * rnd.uniform(0.9, 1.02)
        x, y = polar(angle, min(distance, r), MIDDLE, MIDDLE)
        part = rnd.choices(parts, shares)[0]
        drawing.use(
            rnd.choice(variants[part.name + part.colour]), x, y, turn=rnd.uniform(0, 360), scale=rnd.uniform(*size)
        )


def finish(drawing: Drawing, dish: Dish, r: float, *, herbs: int) -> None:
    """The last hand: spice from high above, then the herbs."""
    if dish.specks:
        strew(drawing, dish.specks[:2], r, 16, size=(0.55, 0.85))
    if dish.herbs:
        strew(drawing, dish.herbs[:2], r * 0.8, herbs, size=(0.75, 1.15))


def broth(dish: Dish) -> str:
    """The colour of the liquid: what dissolves counts, what floats in it counts little."""
    dissolving = {"condiment", "dairy", "legume", "drink", "basic", "spice"}
    weighted = [
        (part.colour, part.grams * (1.0 if part.category in dissolving or part.motif == "drop" else 0.35))
        for part in dish.parts
        if part.name not in {"water", "salt", "coarse salt"}
    ]
    strong = [
        (part.colour, max(90.0, part.grams * 3))
        for part in dish.parts
        if part.name in {"tomato paste", "beetroot", "pepper paste", "turmeric", "paprika", "gochugaru"}
    ]
    return blend([*weighted, *strong])


def pool(drawing: Drawing, colour: str, r: float) -> None:
    face = drawing.gradient((0, lighter(colour, 0.2), 1), (0.75, colour, 1), (1, darker(colour, 0.28), 1))
    drawing.add(circle(MIDDLE, MIDDLE, r, darker(colour, 0.4)) + circle(MIDDLE + 0.6, MIDDLE + 0.8, r - 1.4, face))


def mound(drawing: Drawing, colour: str, r: float) -> None:
    outline = blob(drawing.rnd, r, points=11, wobble=0.05)
    face = drawing.gradient((0, lighter(colour, 0.25), 1), (1, darker(colour, 0.12), 1))
    drawing.add(group(path(outline, "#3a1d0c"), f"translate({MIDDLE + 2:g} {MIDDLE + 5:g})", 'opacity=".25"'))
    drawing.add(group(path(outline, face), f"translate({MIDDLE:g} {MIDDLE:g})"))


def spoonful(drawing: Drawing, colour: str, r: float) -> None:
    outline = blob(drawing.rnd, r, points=8, wobble=0.12)
    curl = stroke(spiral(2, r * 0.62, 1.4, 1.0, x=0, y=0), darker(colour, 0.12), 2.4)
    drawing.add(
        group(
            group(path(outline, "#3a1d0c"), "translate(1.5 4)", 'opacity=".22"') + path(outline, colour) + curl,
            f"translate({MIDDLE:g} {MIDDLE:g})",
        )
    )


def swirl(drawing: Drawing, dish: Dish, r: float) -> None:
    """Cream, yogurt or butter drawn through the bowl."""
    cream = [part for part in dish.of("dairy") if part.motif in {"drop", "cube"}]
    if not cream:
        return
    start = drawing.rnd.uniform(0, math.tau)
    drawing.add(stroke(spiral(3, r, 2.1, start), lighter(cream[0].colour, 0.3), 7, 'opacity=".85"'))
    drawing.add(stroke(spiral(5, r, 2.0, start + 0.2), darker(cream[0].colour, 0.08), 1.6, 'opacity=".6"'))


def furrows(drawing: Drawing, colour: str, r: float) -> None:
    start = drawing.rnd.uniform(0, math.tau)
    drawing.add(stroke(spiral(6, r * 0.84, 3.2, start), darker(colour, 0.16), 9, 'opacity=".7"'))
    drawing.add(stroke(spiral(6, r * 0.84, 3.2, start + 0.16), lighter(colour, 0.4), 6, 'opacity=".75"'))


def droplets(drawing: Drawing, colour: str, r: float, count: int) -> None:
    for _ in range(count):
        x, y = polar(drawing.rnd.uniform(0, math.tau), r * math.sqrt(drawing.rnd.random()), MIDDLE, MIDDLE)
        size = drawing.rnd.uniform(1.6, 4.6)
        drawing.add(
            circle(x, y, size, colour, 'opacity=".4"')
            + circle(x - size * 0.3, y - size * 0.3, size * 0.3, "#fff", 'opacity=".7"')
        )


def garland(drawing: Drawing, parts: Sequence[Part], r: float) -> None:
    """A few pieces on the saucer."""
    for index, part in enumerate(parts):
        name = drawing.define(motifs.draw(part.motif, drawing.rnd, part.colour))
        x, y = polar(drawing.rnd.uniform(0.4, 1.1) + index * 0.42, r, MIDDLE, MIDDLE)
        drawing.use(name, x, y, turn=drawing.rnd.uniform(0, 360), scale=1.1)


def spiral(inner: float, outer: float, turns: float, start: float, *, x: float = MIDDLE, y: float = MIDDLE) -> str:
    steps = int(turns * 14)
    points = [
        polar(start + index / 14 * math.tau, inner + (outer - inner) * index / steps, x, y)
        for index in range(steps + 1)
    ]
    return "M" + "L".join(f"{n(px)} {n(py)}" for px, py in points)


def arc(centre: tuple[float, float], r: float, start: float, sweep: float) -> str:
    (x1, y1), (x2, y2) = polar(start, r, *centre), polar(start + sweep, r, *centre)
    return f"M{n(x1)} {n(y1)}A{n(r)} {n(r)} 0 {int(sweep > math.pi)} 1 {n(x2)} {n(y2)}"


def sector(r: float, start: float, end: float) -> str:
    (x1, y1), (x2, y2) = polar(start, r), polar(end, r)
    return f"M0 0L{n(x1)} {n(y1)}A{n(r)} {n(r)} 0 {int(end - start > math.pi)} 1 {n(x2)} {n(y2)}Z"
