"""What food is served in: cloth, shadow, plate, bowl, pan, board, cup. Each returns the radius that food may fill."""

from __future__ import annotations

import math

from ochaq_web.cookbook.plates.palette import CLOTHS, GLAZES, brightness, darker, lighter, mix
from ochaq_web.cookbook.plates.pen import MIDDLE, SIZE, Drawing, circle, ellipse, group, path, polar, rect, stroke

_SHADE = "#1c0d05"


def cloth(drawing: Drawing) -> str:
    """The table: a colour, its weave, and one of four ways to be woven. Answers the colour."""
    rnd = drawing.rnd
    colour = rnd.choice(CLOTHS)
    drawing.add(rect(0, 0, SIZE, SIZE, colour))
    ink = lighter(colour, 0.5) if brightness(colour) < 0.5 else darker(colour, 0.4)
    _WEAVES[rnd.randrange(len(_WEAVES))](drawing, ink)
    thread = f'stroke="{ink}" stroke-opacity=".10" stroke-width=".8"'
    weave = drawing.pattern(4, f'<path d="M0 1H4M1 0V4" {thread}/>', rnd.uniform(-8, 8))
    drawing.add(rect(0, 0, SIZE, SIZE, weave))
    light = drawing.gradient((0, "#fff8e8", 0.34), (0.55, "#fff8e8", 0), (1, _SHADE, 0.22), at=(0.32, 0.24, 0.95))
    drawing.add(rect(0, 0, SIZE, SIZE, light))
    return colour


def _stripes(drawing: Drawing, ink: str) -> None:
    turn = drawing.rnd.choice([90, 0, 28, -28])
    bands = rect(0, 0, 44, 3, ink, more='opacity=".28"') + rect(0, 6, 44, 1.2, ink, more='opacity=".28"')
    drawing.add(rect(0, 0, SIZE, SIZE, drawing.pattern(44, bands, turn)))


def _check(drawing: Drawing, ink: str) -> None:
    bands = rect(0, 0, 36, 18, ink, more='opacity=".10"') + rect(0, 0, 18, 36, ink, more='opacity=".10"')
    drawing.add(rect(0, 0, SIZE, SIZE, drawing.pattern(36, bands, drawing.rnd.choice([0, 45, 12]))))


def _ikat(drawing: Drawing, ink: str) -> None:
    diamond = path("M20 3L30 20L20 37L10 20Z", ink, 'opacity=".12"') + path(
        "M20 12L25 20L20 28L15 20Z", ink, 'opacity=".18"'
    )
    drawing.add(rect(0, 0, SIZE, SIZE, drawing.pattern(40, diamond, drawing.rnd.choice([0, 45]))))


def _plain(drawing: Drawing, ink: str) -> None:
    fold = stroke("M-10 250Q160 236 330 262", ink, 1.4, 'opacity=".16"')
    drawing.add(group(fold, f"rotate({drawing.rnd.choice([0, 90, 180, 30])} 160 160)"))


_WEAVES = [_stripes, _check, _ikat, _plain, _plain]


def shadow(drawing: Drawing, r: float) -> None:
    """Light falls from the upper left; a soft dark disc lies to the lower right."""
    soft = drawing.gradient((0.62, _SHADE, 0.5), (0.84, _SHADE, 0.2), (1, _SHADE, 0), at=(0.5, 0.5, 0.5))
    drawing.add(circle(MIDDLE + 7, MIDDLE + 11, r * 1.16, soft))


def plate(drawing: Drawing, *, r: float = 132) -> float:
    """A glazed plate with a painted rim."""
    glaze, paint = drawing.rnd.choice(GLAZES)
    shadow(drawing, r)
    rim = drawing.gradient((0, lighter(glaze, 0.3), 1), (0.8, glaze, 1), (1, darker(glaze, 0.22), 1))
    drawing.add(circle(MIDDLE, MIDDLE, r, darker(glaze, 0.3)) + circle(MIDDLE - 0.6, MIDDLE - 0.8, r - 1.2, rim))
    _paint_rim(drawing, r, paint)
    well = r * 0.81
    inner = drawing.gradient(
        (0, mix(glaze, "#ffffff", 0.25), 1), (0.82, glaze, 1), (1, darker(glaze, 0.16), 1), at=(0.56, 0.6, 0.6)
    )
    drawing.add(circle(MIDDLE, MIDDLE, well, darker(glaze, 0.14)) + circle(MIDDLE + 0.8, MIDDLE + 1, well - 1, inner))
    _gleam(drawing, r - 9)
    return well * 0.97


def bowl(drawing: Drawing, *, r: float = 128) -> float:
    """A deep bowl: a narrow rim, dark where the wall goes down on the light's side."""
    glaze, paint = drawing.rnd.choice(GLAZES)
    shadow(drawing, r * 1.02)
    rim = drawing.gradient((0, lighter(glaze, 0.3), 1), (0.85, glaze, 1), (1, darker(glaze, 0.25), 1))
    drawing.add(circle(MIDDLE, MIDDLE, r, darker(glaze, 0.34)) + circle(MIDDLE - 0.6, MIDDLE - 0.8, r - 1.2, rim))
    band = f'stroke="{paint}" stroke-width="3.4" opacity=".85"'
    drawing.add(circle(MIDDLE, MIDDLE, r - 6, "none", band))
    wall = drawing.gradient((0.7, darker(glaze, 0.3), 1), (1, darker(glaze, 0.05), 1), at=(0.58, 0.62, 0.56))
    drawing.add(circle(MIDDLE, MIDDLE, r - 11, wall))
    _gleam(drawing, r - 4)
    return r - 21


def pan(drawing: Drawing, *, r: float = 122) -> float:
    """A black iron pan, its handle towards a corner."""
    turn = drawing.rnd.choice([38, 52, 128, 142, -42])
    iron = "#3a3634"
    handle = rect(r - 6, -11, 90, 22, darker(iron, 0.3), round_=9) + rect(
        r - 4, -9, 86, 15, lighter(iron, 0.12), round_=7
    )
    drawing.add(
        group(
            rect(r - 6, -4, 90, 22, _SHADE, round_=9, more='opacity=".3"'),
            f"translate({MIDDLE} {MIDDLE + 7}) rotate({turn})",
        )
    )
    shadow(drawing, r)
    drawing.add(group(handle, f"translate({MIDDLE} {MIDDLE}) rotate({turn})"))
    wall = drawing.gradient((0.6, "#2b2725", 1), (0.9, "#4a4441", 1), (1, "#1f1b19", 1), at=(0.55, 0.58, 0.56))
    drawing.add(
        circle(MIDDLE, MIDDLE, r, "#221e1c")
        + circle(MIDDLE, MIDDLE, r - 2, wall)
        + circle(MIDDLE + 1, MIDDLE + 1.4, r - 14, "#262220")
    )
    _gleam(drawing, r - 5)
    return r - 18


def board(drawing: Drawing) -> float:
    """A round wooden board with its rings."""
    wood = drawing.rnd.choice(["#8f5f38", "#7a4d2c", "#a06b3e", "#6d452a"])
    r = 130.0
    shadow(drawing, r)
    face = drawing.gradient((0, lighter(wood, 0.22), 1), (1, darker(wood, 0.12), 1))
    drawing.add(circle(MIDDLE, MIDDLE + 2, r, darker(wood, 0.42)) + circle(MIDDLE, MIDDLE, r - 1.4, face))
    clip = drawing.clip(circle(MIDDLE, MIDDLE, r - 3, "#000"))
    lines = "".join(
        stroke(
            f"M20 {y + drawing.rnd.uniform(-3, 3):.0f}Q160 {y + drawing.rnd.uniform(-12, 12):.0f} 300 {y}",
            darker(wood, 0.25),
            1,
            'opacity=".45"',
        )
        for y in range(44, 290, 15)
    )
    turn = drawing.rnd.choice([0, 24, -30, 90])
    drawing.add(group(group(lines, f"rotate({turn} 160 160)"), more=clip))
    return 108


def cup(drawing: Drawing) -> float:
    """A cup on its saucer."""
    glaze, paint = drawing.rnd.choice(GLAZES)
    shadow(drawing, 122)
    saucer = drawing.gradient((0, lighter(glaze, 0.3), 1), (0.8, glaze, 1), (1, darker(glaze, 0.2), 1))
    drawing.add(circle(MIDDLE, MIDDLE, 122, darker(glaze, 0.3)) + circle(MIDDLE - 0.5, MIDDLE - 0.7, 121, saucer))
    _paint_rim(drawing, 122, paint)
    drawing.add(circle(MIDDLE + 5, MIDDLE + 8, 88, _SHADE, 'opacity=".22"'))
    turn = drawing.rnd.choice([-35, 35, 145, 215])
    grip = stroke("M78-13Q112-16 112 0T78 13", darker(glaze, 0.24), 11) + stroke("M78-13Q112-16 112 0T78 13", glaze, 8)
    drawing.add(group(grip, f"translate({MIDDLE} {MIDDLE}) rotate({turn})"))
    drawing.add(circle(MIDDLE, MIDDLE, 84, darker(glaze, 0.3)) + circle(MIDDLE, MIDDLE, 82.6, lighter(glaze, 0.2)))
    drawing.add(circle(MIDDLE, MIDDLE, 77, darker(glaze, 0.26)))
    return 75


def jar(drawing: Drawing) -> float:
    """A wide preserving jar, open, seen from above: rings of glass."""
    r = 126.0
    shadow(drawing, r)
    glass = drawing.gradient((0.7, "#e9f3f0", 0.9), (0.92, "#bfd3cd", 0.9), (1, "#8ba8a0", 0.95), at=(0.45, 0.42, 0.58))
    drawing.add(circle(MIDDLE, MIDDLE, r, "#7f9a93") + circle(MIDDLE, MIDDLE, r - 1.4, glass))
    drawing.add(circle(MIDDLE, MIDDLE, r - 9, "none", 'stroke="#fff" stroke-width="2" opacity=".7"'))
    drawing.add(circle(MIDDLE, MIDDLE, r - 16, "#8fa79d"))
    return r - 18


def spoon(drawing: Drawing) -> None:
    _beside(
        drawing,
        ellipse(0, -66, 14, 20, "#8f877a")
        + ellipse(-1, -67, 11.6, 17.4, "#e9e3d8")
        + rect(-2.8, -48, 5.6, 150, "#8f877a", round_=2.6)
        + rect(-2, -46, 3.4, 147, "#dfd8cc", round_=1.7),
    )


def fork(drawing: Drawing) -> None:
    tines = "".join(
        rect(x, -88, 2.8, 31, "#8f877a", round_=1.4) + rect(x, -88, 1.9, 31, "#e4ddd1", round_=1)
        for x in (-9, -3.4, 2.2, 7.2)
    )
    neck = "M-9-60Q-9-44-2.6-40V102Q0 106 2.6 102V-40Q10-44 10-60Z"
    _beside(drawing, path(neck, "#8f877a") + tines + group(path(neck, "#dfd8cc"), "translate(-.5 0) scale(.72 .99)"))


def chopsticks(drawing: Drawing) -> None:
    one = rect(-2.4, -120, 4.8, 250, "#7a3b22", round_=2.4) + rect(-2.4, -120, 4.8, 46, "#2c1a14", round_=2.4)
    _beside(drawing, group(one, "translate(-5 0) rotate(2)") + group(one, "translate(6 2) rotate(-1)"))


def _beside(drawing: Drawing, tool: str) -> None:
    """Lay a tool at the edge of the table, with its own shadow."""
    side, lean = drawing.rnd.choice([(300, 8), (20, -8), (298, -5), (22, 5)])
    drawing.add(
        group(rect(-4, -84, 9, 186, _SHADE, round_=4.5), f"translate({side + 4} 171) rotate({lean})", 'opacity=".2"')
    )
    drawing.add(group(tool, f"translate({side} 166) rotate({lean})"))


def _paint_rim(drawing: Drawing, r: float, paint: str) -> None:
    style = drawing.rnd.randrange(5)
    middle = r * 0.905
    if style == 0:
        drawing.add(circle(MIDDLE, MIDDLE, r - 5, "none", f'stroke="{paint}" stroke-width="2.4" opacity=".9"'))
        drawing.add(circle(MIDDLE, MIDDLE, r - 10, "none", f'stroke="{paint}" stroke-width=".9" opacity=".7"'))
    elif style == 1:
        _around(drawing, circle(0, 0, 2.6, paint, 'opacity=".85"'), middle, 28)
        drawing.add(circle(MIDDLE, MIDDLE, r - 3.4, "none", f'stroke="{paint}" stroke-width="1.6" opacity=".8"'))
    elif style == 2:  # cotton bolls, as on every Uzbek teapot
        boll = "".join(
            ellipse(0, -4.4, 2.4, 4, paint, f'transform="rotate({turn})" opacity=".85"') for turn in (-50, 0, 50)
        )
        _around(drawing, boll + stroke("M-5 3Q0 6 5 3", paint, 1.1, 'opacity=".7"'), middle, 18)
    elif style == 3:  # leaves chasing each other
        _around(drawing, path("M-7 0Q0-6 7 0Q0 4-7 0Z", paint, 'opacity=".8"'), middle, 20)
    else:
        drawing.add(circle(MIDDLE, MIDDLE, r - 4, "none", f'stroke="{paint}" stroke-width="6" opacity=".88"'))


def _around(drawing: Drawing, sign: str, r: float, count: int) -> None:
    name = drawing.define(sign)
    for index in range(count):
        angle = index * math.tau / count
        x, y = polar(angle, r, MIDDLE, MIDDLE)
        drawing.use(name, x, y, turn=math.degrees(angle) + 90)


def _gleam(drawing: Drawing, r: float) -> None:
    """The window's reflection on the glaze."""
    (x1, y1), (x2, y2) = polar(math.pi * 1.1, r, MIDDLE, MIDDLE), polar(math.pi * 1.42, r, MIDDLE, MIDDLE)
    drawing.add(stroke(f"M{x1:.1f} {y1:.1f}A{r:.0f} {r:.0f} 0 0 1 {x2:.1f} {y2:.1f}", "#fff", 4, 'opacity=".5"'))
