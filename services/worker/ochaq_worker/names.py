"""Faker's own word lists, read once and laid out so that a student costs a few lookups.

Importing Faker and its locales takes longer than making ten thousand students, so it happens when the worker starts,
before it forks: the children share the tables.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from itertools import accumulate

# The school's own mixture of languages; within a locale women and men are as many.
LOCALES = {"tr_TR": 0.4, "en_US": 0.25, "uz_UZ": 0.2, "ru_RU": 0.15}
LONGEST = 30
LONGEST_ASCII = 20
_REFUSED = re.compile(r"[\x00-\x1f\x7f\\]")
_NOT_ASCII = re.compile(r"[^a-z]+")
_LETTERS = str.maketrans({"ı": "i", "ø": "o", "ł": "l", "đ": "d", "ß": "ss", "ъ": "", "ь": ""})
_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщыэюяўқғҳ",
        "a,b,v,g,d,e,yo,zh,z,i,y,k,l,m,n,o,p,r,s,t,u,f,kh,ts,ch,sh,shch,y,e,yu,ya,o,q,g,h".split(","),  # noqa: SIM905
        strict=True,
    )
)


@dataclass(frozen=True)
class Words:
    """A weighted list: pairs of (the name as a JSON string, the name in ASCII), and its running sum of weights."""

    entries: tuple[tuple[str, str], ...]
    cumulative: tuple[float, ...]


@dataclass(frozen=True)
class Voice:
    """First and last names that belong together: one locale, one gender."""

    weight: float
    firsts: Words
    lasts: Words


@cache
def voices() -> tuple[Voice, ...]:
    """Every voice of every locale."""
    return tuple(voice for locale, weight in LOCALES.items() for voice in _voices_of(locale, weight))


def ascii_of(name: str) -> str:
    """A name as an e-mail address may hold it: transliterated, without accents, lower-case letters only."""
    lower = name.lower().translate(_LETTERS)
    spelled = "".join(_CYRILLIC.get(letter, letter) for letter in unicodedata.normalize("NFC", lower))
    plain = unicodedata.normalize("NFKD", spelled)
    return _NOT_ASCII.sub("", plain)[:LONGEST_ASCII] or "x"


def _voices_of(locale: str, weight: float) -> Iterable[Voice]:
    provider = import_module(f"faker.providers.person.{locale}").Provider
    for gender in ("female", "male"):
        lasts = getattr(provider, f"last_names_{gender}", None) or provider.last_names
        yield Voice(weight / 2, _words(getattr(provider, f"first_names_{gender}")), _words(lasts))


def _words(source: Mapping[str, float] | Iterable[str]) -> Words:
    weighted = source.items() if isinstance(source, Mapping) else ((name, 1.0) for name in source)
    kept = [(name, weight) for name, weight in weighted if len(name) <= LONGEST and not _REFUSED.search(name)]
    entries = tuple((json.dumps(name, ensure_ascii=False), ascii_of(name)) for name, _ in kept)
    return Words(entries, tuple(accumulate(weight for _, weight in kept)))
