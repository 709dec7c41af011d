"""Colours: mixing them, the cloths and glazes of the house, and what an unknown food looks like."""

from __future__ import annotations

import colorsys
import zlib

# Colours that look like food, and motifs that suit anything, for foods nobody has described.
_GUESSES = ["#c9a66b", "#b5723c", "#8fae4b", "#d9714a", "#e3b864", "#a4553f", "#7d8f4b", "#cf8f5a"]
_MOTIFS = ["chunk", "slice", "cube", "leaf", "round", "seed"]

# Table cloths: quiet, warm or deep, so that a page of plates looks like one laid table.
CLOTHS = [
    "#e9dcc3",
    "#dfcdb0",
    "#cdd3bd",
    "#b9c7c4",
    "#e2c4a8",
    "#d9b7a0",
    "#c2b7a6",
    "#ead2ad",
    "#3f5a5c",
    "#4b5f4a",
    "#7a3b32",
    "#374a63",
    "#5b4636",
    "#8a5a3c",
]

# Glaze, rim decoration.
GLAZES = [
    ("#fbf7ef", "#2f5d8c"),
    ("#fdfaf4", "#b5452c"),
    ("#f4efe4", "#8a6d3b"),
    ("#2f6f8f", "#f6ecd6"),
    ("#24527a", "#f2d8a0"),
    ("#f7f1e6", "#3d7a5a"),
    ("#e8ded0", "#6b4a36"),
    ("#3b4a46", "#d9c7a3"),
    ("#f9efe1", "#c98a2b"),
    ("#d7e0dd", "#46606a"),
]


def look_of(name: str) -> dict[str, str]:
    """Colour and motif for a food's name: always the same ones."""
    number = zlib.crc32(name.casefold().encode())
    return {"colour": _GUESSES[number % len(_GUESSES)], "motif": _MOTIFS[number // 8 % len(_MOTIFS)]}


def mix(one: str, other: str, share: float) -> str:
    """`one` with that share (0 to 1) of `other`."""
    pairs = zip(_channels(one), _channels(other), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02x}" for a, b in pairs)


def lighter(colour: str, share: float = 0.3) -> str:
    return mix(colour, "#ffffff", share)


def darker(colour: str, share: float = 0.3) -> str:
    # Towards a warm brown: shadows on food are never grey.
    return mix(colour, "#2a1408", share)


def blend(weighted: list[tuple[str, float]]) -> str:
    """The colour of things cooked together; a mean of colours is greyer than any sauce, so it is made livelier."""
    total = sum(weight for _, weight in weighted) or 1.0
    red, green, blue = (
        sum(_channels(colour)[index] * weight for colour, weight in weighted) / total / 255 for index in range(3)
    )
    hue, light, colourfulness = colorsys.rgb_to_hls(red, green, blue)
    livelier = colorsys.hls_to_rgb(hue, light, min(1, colourfulness * 1.35))
    return "#" + "".join(f"{round(value * 255):02x}" for value in livelier)


def brightness(colour: str) -> float:
    """0 for black, 1 for white, as the eye weighs it."""
    red, green, blue = _channels(colour)
    return (0.299 * red + 0.587 * green + 0.114 * blue) / 255


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)
