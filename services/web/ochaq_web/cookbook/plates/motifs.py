"""How foods look from above. Each motif draws one piece around the origin, about twenty units across."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

from ochaq_web.cookbook.plates.palette import darker, lighter, mix
from ochaq_web.cookbook.plates.pen import blob, circle, ellipse, group, n, path, polar, rect, smooth, stroke

Motif = Callable[[Random, str], str]


def leaf(rnd: Random, colour: str) -> str:
    w = rnd.uniform(4.5, 6.5)
    outline = f"M0-11C{n(w)}-7 {n(w)} 5 0 11C{n(-w)} 5 {n(-w)}-7 0-11Z"
    half = f"M0-11C{n(w)}-7 {n(w)} 5 0 11Z"
    veins = "M0-9V10M0-3L3-6M0-3L-3-6M0 3L3 0M0 3L-3 0"
    return (
        path(outline, darker(colour, 0.08))
        + path(half, lighter(colour, 0.14))
        + stroke(veins, darker(colour, 0.35), 0.7)
    )


def sprig(rnd: Random, colour: str) -> str:
    d = "M0 12Q1 0 0-11"
    for index in range(7):
        y = 8 - index * 2.9
        reach = 6.5 - index * 0.6
        d += f"M0 {n(y)}L{n(reach)} {n(y - 4)}M0 {n(y)}L{n(-reach)} {n(y - 4.4)}"
    return stroke(d, darker(colour, 0.15), 1.3) + stroke("M0 12Q1 0 0-11", lighter(colour, 0.2), 0.6)


def grain(rnd: Random, colour: str) -> str:
    return ellipse(0, 0, 5.6, 2, darker(colour, 0.16)) + ellipse(-0.3, -0.4, 5, 1.5, lighter(colour, 0.25))


def seed(rnd: Random, colour: str) -> str:
    return (
        ellipse(0.3, 0.5, 3.2, 2.2, darker(colour, 0.35))
        + ellipse(0, 0, 3.1, 2, colour)
        + ellipse(-0.8, -0.6, 1.1, 0.6, lighter(colour, 0.5))
    )


def crumb(rnd: Random, colour: str) -> str:
    bits = ""
    for _ in range(5):
        x, y = polar(rnd.uniform(0, math.tau), rnd.uniform(0, 5))
        bits += circle(x, y, rnd.uniform(0.6, 1.5), rnd.choice([colour, darker(colour, 0.2), lighter(colour, 0.2)]))
    return bits


def slice_(rnd: Random, colour: str) -> str:
    pips = "".join(
        ellipse(0, -5.4, 0.8, 1.5, lighter(colour, 0.6), f'transform="rotate({index * 60 + 20})"') for index in range(6)
    )
    return (
        circle(0, 0, 10.5, darker(colour, 0.22))
        + circle(0, 0, 9.3, lighter(colour, 0.24))
        + circle(0, 0, 7.9, colour)
        + pips
    )


def crescent(rnd: Random, colour: str) -> str:
    """An apple's slice: pale flesh, a line of skin."""
    return (
        path("M-11-4Q0 15 11-4Q0 3-11-4Z", darker(colour, 0.1))
        + path("M-10-4.4Q0 11.6 10-4.4Q0 2-10-4.4Z", "#fbefcf")
        + stroke("M-6 1Q0 5 6 1", "#ecd9a6", 1)
    )


def citrus(rnd: Random, colour: str) -> str:
    wedges = "".join(
        path("M0-1.2L3.1-7.2Q0-9-3.1-7.2Z", lighter(colour, 0.12), f'transform="rotate({turn})"')
        for turn in range(0, 360, 45)
    )
    return circle(0, 0, 11, colour) + circle(0, 0, 9.6, lighter(colour, 0.78)) + wedges


def ring(rnd: Random, colour: str) -> str:
    outline = blob(rnd, 9, points=8, wobble=0.08)
    return stroke(outline, darker(colour, 0.22), 3.4) + stroke(outline, lighter(colour, 0.12), 2.1)


def round_(rnd: Random, colour: str) -> str:
    return (
        circle(0.5, 0.8, 7, darker(colour, 0.34))
        + circle(0, 0, 6.8, colour)
        + circle(-1.2, -1.4, 4.6, lighter(colour, 0.14))
        + circle(-2.2, -2.5, 1.6, lighter(colour, 0.55))
    )


def cube(rnd: Random, colour: str) -> str:
    w = rnd.uniform(6, 7.5)
    return rect(-w + 1, -w + 1.6, 2 * w, 2 * w, darker(colour, 0.3), round_=2.4) + rect(
        -w, -w, 2 * w, 2 * w - 1.4, lighter(colour, 0.08), round_=2.4
    )


def chunk(rnd: Random, colour: str) -> str:
    outline = blob(rnd, 10.5, wobble=0.22, squash=0.8)
    return (
        group(path(outline, darker(colour, 0.36)), "translate(.6 1.4)")
        + path(outline, colour)
        + group(path(outline, lighter(colour, 0.16)), "translate(-1.4 -1.6) scale(.66)")
        + stroke("M-5 1Q-1 4 4 2", darker(colour, 0.3), 0.8)
    )


def wedge(rnd: Random, colour: str) -> str:
    outline = "M-10 5Q0-13 10 5Q0 9-10 5Z"
    return (
        group(path(outline, darker(colour, 0.3)), "translate(.4 1.3)")
        + path(outline, colour)
        + path("M-7 3Q0-9 7 3Q0 6-7 3Z", lighter(colour, 0.25))
    )


def stick(rnd: Random, colour: str) -> str:
    half = rnd.uniform(8, 11)
    return rect(-half, -1.4, 2 * half, 3.9, darker(colour, 0.28), round_=1.6) + rect(
        -half, -1.9, 2 * half, 3.2, lighter(colour, 0.1), round_=1.5
    )


def strand(rnd: Random, colour: str) -> str:
    d = f"M-12 {n(rnd.uniform(-3, 3))}Q-5-9 0 0T12 {n(rnd.uniform(-3, 3))}"
    return stroke(d, darker(colour, 0.25), 3.2) + stroke(d, lighter(colour, 0.15), 2)


def drop(rnd: Random, colour: str) -> str:
    return (
        path("M0-8C4-3 6 0 6 3A6 6 0 0 1-6 3C-6 0-4-3 0-8Z", darker(colour, 0.14))
        + path("M0-6C3-2 4.6 0 4.6 3A4.6 4.6 0 0 1-4.6 3C-4.6 0-3-2 0-6Z", lighter(colour, 0.16))
        + circle(-1.8, 2, 1.1, "#fff", 'opacity=".7"')
    )


def egg(rnd: Random, colour: str) -> str:
    white = blob(rnd, 15, points=8, wobble=0.14)
    return (
        group(path(white, "#cdbb9c"), "translate(.6 1.5)", 'opacity=".7"')
        + path(white, "#fffaf0")
        + circle(0.4, 0.6, 6.3, darker(colour, 0.14))
        + circle(0, 0, 6.1, colour)
        + ellipse(-2, -2.3, 1.9, 1.2, lighter(colour, 0.65))
    )


def fish(rnd: Random, colour: str) -> str:
    body = "M-19 0C-12-8 4-8 13-1L21-6Q19 0 21 6L13 1C4 8-12 8-19 0Z"
    scales = "".join(f"M{x}-3.4Q{x + 2.4} 0 {x} 3.4" for x in (-8, -4, 0, 4))
    return (
        group(path(body, darker(colour, 0.38)), "translate(.6 1.6)")
        + path(body, colour)
        + path("M-18-1C-10-6 4-6 12-1C2-2-8-2-18-1Z", lighter(colour, 0.4))
        + stroke(scales, darker(colour, 0.25), 0.7)
        + circle(-14, -0.8, 1.3, "#fff")
        + circle(-14, -0.8, 0.7, "#2a1f1a")
    )


def prawn(rnd: Random, colour: str) -> str:
    arc = "M8 7A10 10 0 1 1 7-8"
    bands = "M-9.5 3L-4.5 1.6M-9-4L-4.2-2M-4.5-9L-2.4-4.4M2-9.6L1.4-4.6M-5 8.6L-2.4 4.2"
    return (
        stroke(arc, darker(colour, 0.2), 7.4)
        + stroke(arc, lighter(colour, 0.2), 5.8)
        + stroke(bands, darker(colour, 0.1), 1.1)
        + path("M7-8L13-13L13-6Z", darker(colour, 0.12))
    )


def mushroom(rnd: Random, colour: str) -> str:
    outline = "M-10 0C-10-9 10-9 10 0C10 3 5 3 3.4 2.4L3 9Q0 11-3 9L-3.4 2.4C-5 3-10 3-10 0Z"
    return (
        path(outline, darker(colour, 0.3))
        + group(path(outline, lighter(colour, 0.5)), "translate(0 -.3) scale(.86)")
        + stroke("M-6 0Q0-4 6 0", darker(colour, 0.15), 1)
    )


def walnut(rnd: Random, colour: str) -> str:
    lobe = "M0-8C5-10 10-5 8 0C10 4 5 9 0 7C-5 9-10 4-8 0C-10-5-5-10 0-8Z"
    folds = "M0-7V6M-2-4Q-6-3-5 1M2-4Q6-3 5 1M-2 2Q-5 3-4 6M2 2Q5 3 4 6"
    return (
        group(path(lobe, darker(colour, 0.4)), "translate(.5 1.1)")
        + path(lobe, colour)
        + stroke(folds, darker(colour, 0.38), 1)
    )


def floret(rnd: Random, colour: str) -> str:
    bumps = ""
    for index in range(6):
        x, y = polar(index * math.tau / 6 + 0.3, 5.4)
        bumps += circle(x, y, 4.6, rnd.choice([colour, darker(colour, 0.08), lighter(colour, 0.3)]))
    return circle(0.5, 1.4, 10, darker(colour, 0.3)) + bumps + circle(0, 0, 4.6, lighter(colour, 0.35))


def star(rnd: Random, colour: str) -> str:
    arm = path("M0-1.5L2-6.5L0-11L-2-6.5Z", colour)
    arms = "".join(group(arm, f"rotate({turn})") for turn in range(0, 360, 45))
    return arms + circle(0, 0, 2.2, darker(colour, 0.35))


def dumpling(rnd: Random, colour: str) -> str:
    """Not a food's own motif: what dough around a filling looks like."""
    pleats = "".join(f"M{n(a)} {n(b)}L{n(c)} {n(d)}" for (a, b), (c, d) in _rays(rnd, 11, 4.5, 14))
    return (
        ellipse(1, 3, 19, 18, "#3a1d0c", 'opacity=".22"')
        + circle(0, 0, 18, darker(colour, 0.16))
        + circle(-0.6, -0.8, 17, colour)
        + circle(-3, -4, 11, lighter(colour, 0.35), 'opacity=".6"')
        + stroke(pleats, darker(colour, 0.26), 1.3)
        + circle(0, 0, 4.2, darker(colour, 0.1))
        + circle(-0.4, -0.6, 3, lighter(colour, 0.4))
    )


def half_moon(rnd: Random, colour: str) -> str:
    outline = "M-19 3A19 19 0 0 1 19 3Q0 10-19 3Z"
    crimps = "".join(
        f"M{n(a)} {n(b)}L{n(c)} {n(d)}" for (a, b), (c, d) in _rays(rnd, 9, 14, 17.5, math.pi * 1.05, math.pi * 1.95)
    )
    return (
        group(path(outline, "#3a1d0c"), "translate(1 3)", 'opacity=".24"')
        + path(outline, darker(colour, 0.14))
        + group(path(outline, lighter(colour, 0.2)), "translate(-.6 -.4) scale(.86)")
        + stroke(crimps, darker(colour, 0.26), 1.2)
    )


def triangle(rnd: Random, colour: str) -> str:
    outline = smooth([(0, -21), (7, -8), (19, 13), (8, 15), (-8, 15), (-19, 13), (-7, -8)])
    return (
        group(path(outline, "#3a1d0c"), "translate(1 3)", 'opacity=".26"')
        + path(outline, darker(colour, 0.2))
        + group(path(outline, lighter(colour, 0.16)), "translate(-.4 -.6) scale(.84)")
        + stroke("M0-15L0 3M0 3L-12 10M0 3L12 10", darker(colour, 0.34), 1.2, 'opacity=".7"')
    )


def roll(rnd: Random, colour: str) -> str:
    return (
        rect(-24, -4, 50, 14, "#3a1d0c", round_=7, more='opacity=".24"')
        + rect(-25, -7, 50, 14, darker(colour, 0.2), round_=6)
        + rect(-24, -6.4, 48, 9, lighter(colour, 0.2), round_=4.5)
        + stroke("M-16-6Q-12 0-17 6M-4-6Q0 0-5 6M8-6Q12 0 7 6", darker(colour, 0.25), 1)
    )


MOTIFS: dict[str, Motif] = {
    "chunk": chunk,
    "citrus": citrus,
    "crescent": crescent,
    "crumb": crumb,
    "cube": cube,
    "drop": drop,
    "egg": egg,
    "fish": fish,
    "floret": floret,
    "grain": grain,
    "leaf": leaf,
    "mushroom": mushroom,
    "prawn": prawn,
    "ring": ring,
    "round": round_,
    "seed": seed,
    "slice": slice_,
    "sprig": sprig,
    "star": star,
    "stick": stick,
    "strand": strand,
    "walnut": walnut,
    "wedge": wedge,
}

# Pieces small enough to be strewn rather than laid.
SMALL = frozenset({"crumb", "seed", "grain"})
HERBS = frozenset({"leaf", "sprig"})


def draw(motif: str, rnd: Random, colour: str) -> str:
    """One piece with the little shadow that lifts it off what lies below."""
    piece = MOTIFS.get(motif, chunk)(rnd, mix(colour, "#ffffff", rnd.uniform(0, 0.06)))
    if motif in SMALL or motif == "strand":
        return piece
    return ellipse(1, 2.2, 9, 8.4, "#2a1206", 'opacity=".16"') + piece


def _rays(
    rnd: Random, count: int, inner: float, outer: float, start: float = 0, end: float = math.tau
) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    step = (end - start) / count
    return [
        (
            polar(start + (index + 0.5) * step, inner),
            polar(start + (index + 0.5) * step + rnd.uniform(0.02, 0.16), outer),
        )
        for index in range(count)
    ]
