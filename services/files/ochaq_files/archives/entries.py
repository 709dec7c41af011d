"""What stands in an archive, under names that unpack safely everywhere."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from ochaq_files import names

# Forbidden in names on Windows; a path separator in a name could lead out of the target directory anywhere.
_FORBIDDEN = str.maketrans(dict.fromkeys('\\/:*?"<>|', "_"))


@dataclass(frozen=True, slots=True)
class Entry:
    """One file of an archive. `modified` is a Unix time in UTC."""

    name: str
    size: int
    crc32: int
    modified: int
    key: str


def entry_names(paths: Iterable[str]) -> list[str]:
    """Safe, distinct entry names for file paths relative to the archived folder, in order.

    Two names that one of the common file systems cannot tell apart (case, normal form) get numbers: `a (2).txt`.
    """
    taken: set[str] = set()
    counters: dict[str, int] = {}
    return [_distinct(safe_path(path), taken, counters) for path in paths]


def safe_path(path: str) -> str:
    """A relative path without anything that climbs, hides or cannot be written on some system."""
    return "/".join(_safe_segment(part) for part in path.split("/") if part not in {"", ".", ".."}) or "_"


def _safe_segment(raw: str) -> str:
    name = unicodedata.normalize("NFC", raw).translate(_FORBIDDEN)
    name = "".join(character if names.printable(character) else "_" for character in name).strip().rstrip(". ")
    if not name or names.reserved(name):
        name = f"_{name}"
    return name


def _distinct(name: str, taken: set[str], counters: dict[str, int]) -> str:
    key = name.casefold()
    if key not in taken:
        taken.add(key)
        return name
    folder, slash, base = name.rpartition("/")
    stem, dot, extension = base.rpartition(".")
    if not stem:
        stem, dot, extension = base, "", ""
    # The counter of a name goes on where it stopped, so that many equal names cost no more than few.
    number = counters.get(key, 1)
    while True:
        number += 1
        candidate = f"{folder}{slash}{stem} ({number}){dot}{extension}"
        if candidate.casefold() not in taken:
            break
    counters[key] = number
    taken.add(candidate.casefold())
    return candidate
