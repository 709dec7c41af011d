"""Writing SVG: short numbers, shapes, and one drawing that counts its own ids."""

from __future__ import annotations

import math
from random import Random

SIZE = 320
MIDDLE = SIZE / 2


def n(value: float) -> str:
    """A number with one decimal, without what is not needed."""
    text = f"{value:.1f}".rstrip("0").rstrip(".")
    return "0" if text in {"-0", ""} else text


def circle(x: float, y: float, r: float, fill: str, more: str = "") -> str:
    return f'<circle cx="{n(x)}" cy="{n(y)}" r="{n(r)}" fill="{fill}"{_more(more)}/>'


def ellipse(x: float, y: float, rx: float, ry: float, fill: str, more: str = "") -> str:
    return f'<ellipse cx="{n(x)}" cy="{n(y)}" rx="{n(rx)}" ry="{n(ry)}" fill="{fill}"{_more(more)}/>'


def rect(x: float, y: float, w: float, h: float, fill: str, *, round_: float = 0, more: str = "") -> str:
    corner = f' rx="{n(round_)}"' if round_ else ""
    return f'<rect x="{n(x)}" y="{n(y)}" width="{n(w)}" height="{n(h)}"{corner} fill="{fill}"{_more(more)}/>'


def path(d: str, fill: str = "none", more: str = "") -> str:
    return f'<path d="{d}" fill="{fill}"{_more(more)}/>'


def stroke(d: str, colour: str, width: float, more: str = "") -> str:
    return (
        f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{n(width)}" stroke-linecap="round"{_more(more)}/>'
    )


def group(content: str, transform: str = "", more: str = "") -> str:
    move = f' transform="{transform}"' if transform else ""
    return f"<g{move}{_more(more)}>{content}</g>"


def polar(angle: float, r: float, x: float = 0, y: float = 0) -> tuple[float, float]:
    return x + r * math.cos(angle), y + r * math.sin(angle)


def blob(rnd: Random, r: float, *, points: int = 7, wobble: float = 0.18, squash: float = 1.0) -> str:
    """A closed soft outline around the origin."""
    knots = []
    for index in range(points):
        x, y = polar(index * math.tau / points, r * rnd.uniform(1 - wobble, 1 + wobble))
        knots.append((x, y * squash))
    return smooth(knots)


def smooth(knots: list[tuple[float, float]]) -> str:
    """A closed curve through the middles of the knots' sides, which is as round as it gets with little text."""
    middles = [((a[0] + b[0]) / 2, (a[1] + b[1]) / 2) for a, b in zip(knots, knots[1:] + knots[:1], strict=True)]
    text = f"M{n(middles[-1][0])} {n(middles[-1][1])}"
    for knot, middle in zip(knots, middles, strict=True):
        text += f"Q{n(knot[0])} {n(knot[1])} {n(middle[0])} {n(middle[1])}"
    return text + "Z"


class Drawing:
    """An SVG in the making: definitions, and layers from the table up."""

    def __init__(self, seed: str) -> None:
        self.rnd = Random(seed)  # noqa: S311 - a picture, not a secret; the seed makes it the same every time
        self._defs: list[str] = []
        self._layers: list[str] = []

    def define(self, content: str) -> str:
        """Keep a shape for `use`; answers its id."""
        name = f"d{len(self._defs)}"
        self._defs.append(f'<g id="{name}">{content}</g>')
        return name

    def gradient(self, *stops: tuple[float, str, float], at: tuple[float, float, float] = (0.42, 0.38, 0.65)) -> str:
        """A radial gradient of (offset, colour, opacity); answers what `fill` takes."""
        name = f"d{len(self._defs)}"
        x, y, r = at
        body = "".join(_stop(*stop) for stop in stops)
        self._defs.append(f'<radialGradient id="{name}" cx="{x:g}" cy="{y:g}" r="{r:g}">{body}</radialGradient>')
        return f"url(#{name})"

    def clip(self, shape: str) -> str:
        """Ask with `clip-path` to cut at a shape; answers the attribute."""
        name = f"d{len(self._defs)}"
        self._defs.append(f'<clipPath id="{name}">{shape}</clipPath>')
        return f'clip-path="url(#{name})"'

    def pattern(self, size: float, content: str, turn: float = 0) -> str:
        name = f"d{len(self._defs)}"
        self._defs.append(
            f'<pattern id="{name}" width="{n(size)}" height="{n(size)}" patternUnits="userSpaceOnUse"'
            f' patternTransform="rotate({n(turn)})">{content}</pattern>'
        )
        return f"url(#{name})"

    def add(self, content: str) -> None:
        self._layers.append(content)

    def use(self, name: str, x: float, y: float, *, turn: float = 0, scale: float = 1) -> None:
        size = f" scale({scale:.2f})" if abs(scale - 1) > 0.01 else ""
        spin = f" rotate({round(turn)})" if turn else ""
        self.add(f'<use href="#{name}" transform="translate({n(x)} {n(y)}){spin}{size}"/>')

    def svg(self) -> bytes:
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {SIZE} {SIZE}" width="{SIZE}" height="{SIZE}">'
        return f"{head}<defs>{''.join(self._defs)}</defs>{''.join(self._layers)}</svg>".encode()


def _stop(offset: float, colour: str, opacity: float) -> str:
    clear = f' stop-opacity="{opacity:g}"' if opacity < 1 else ""
    return f'<stop offset="{n(offset * 100)}%" stop-color="{colour}"{clear}/>'


def _more(more: str) -> str:
    return f" {more}" if more else ""
