"""One spelling for all the ways people write a name: what the index holds and what a query is compared with.

Both engines index and search the words made here, so that their answers agree. The steps, for names:

1. the apostrophes that Uzbek keyboards produce for oʻ, gʻ and ʼ disappear (`O'tkir`, `Oʻtkir`, `Otkir` are one name);
2. Cyrillic is written in Latin letters, in the Uzbek way and, where that differs, in the Russian way too (`Жанна` is
   `janna` and `zhanna`, `Алёна` is `alyona` and `alena`): one written word may become two indexed words;
3. case folds the Turkish way as well (ı, I, İ and i are one letter) and accents fall away (`Gülşen` is `gulsen`).

An e-mail address becomes two words: the whole address, and its local part. The domain alone is no word: nearly every
student shares it, so a query for one address would otherwise match the whole school.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

APOSTROPHES = "'`´ʹʻʼʽˈʾʿ‘’‛′＇"

# The Uzbek Latin alphabet of 1995 for the letters of the Uzbek Cyrillic one, after apostrophes are dropped.
_UZBEK = {
    "а": "a", "б": "b", "в": "v", "г": "g", "д": "d", "е": "e", "ё": "yo", "ж": "j", "з": "z", "и": "i", "й": "y",
    "к": "k", "л": "l", "м": "m", "н": "n", "о": "o", "п": "p", "р": "r", "с": "s", "т": "t", "у": "u", "ф": "f",
    "х": "x", "ц": "ts", "ч": "ch", "ш": "sh", "щ": "sh", "ъ": "", "ы": "i", "ь": "", "э": "e", "ю": "yu", "я": "ya",
    "ў": "o", "қ": "q", "ғ": "g", "ҳ": "h", "і": "i", "ї": "yi", "є": "ye", "ґ": "g", "ә": "a", "ң": "ng", "ө": "o",
    "ү": "u", "ұ": "u", "һ": "h",
}  # fmt: skip
# Where Russian passports and everyday Russian spelling differ from it; ё is written е as often as not.
_RUSSIAN = {**_UZBEK, "ё": "e", "ж": "zh", "х": "kh", "щ": "shch", "ы": "y"}
# Letters that Unicode does not decompose into a base letter and a mark.
_LETTERS = {
    "ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ł": "l", "ħ": "h", "ŧ": "t",
    "ŋ": "n", "ə": "a", "ɵ": "o", "ĸ": "k",
}  # fmt: skip

_DROP = str.maketrans("", "", APOSTROPHES)
_TO_UZBEK = str.maketrans(_UZBEK)
_TO_RUSSIAN = str.maketrans(_RUSSIAN)
_TO_LATIN = str.maketrans(_LETTERS)
_CYRILLIC = re.compile(r"[Ѐ-ԯ]")
# A word with its apostrophes and combining marks; the underscore is punctuation to people.
_WORD = re.compile(rf"(?:[^\W_]|[{APOSTROPHES}\u0300-\u036f])+")
_CHUNK = re.compile(r"\S+")
_EDGES = re.compile(r"^[\W_]+|[\W_]+$")


class Word(NamedTuple):
    """One written word of a text: where it stands, and the indexed words it becomes (at least one)."""

    start: int
    end: int
    terms: tuple[str, ...]


def fold(text: str) -> str:
    """`text` without case, accents and apostrophes; Cyrillic letters stay."""
    if text.isascii():
        return text.lower().translate(_DROP)
    lowered = text.replace("İ", "i").casefold().translate(_DROP)
    return _strip_marks(lowered).translate(_TO_LATIN)


def spellings(written: str) -> tuple[str, ...]:
    """The indexed forms of one written word: one, or two where the Uzbek and Russian ways of writing differ."""
    if written.isascii():
        folded = written.lower().translate(_DROP)
        return (folded,) if folded else ()
    # Composed first: й, ў and ё are letters of their own and must not lose their mark before they are transliterated.
    text = unicodedata.normalize("NFC", written.replace("İ", "i").casefold()).translate(_DROP)
    if not _CYRILLIC.search(text):
        folded = _strip_marks(text).translate(_TO_LATIN)
        return (folded,) if folded else ()
    both = (_strip_marks(text.translate(table)).translate(_TO_LATIN) for table in (_TO_UZBEK, _TO_RUSSIAN))
    return tuple(dict.fromkeys(word for word in both if word))


@lru_cache(maxsize=65_536)
def name_words(text: str) -> tuple[Word, ...]:
    """The words of a first or last name. Cached: a school has far fewer names than students."""
    found = (Word(m.start(), m.end(), spellings(m.group())) for m in _WORD.finditer(text))
    return tuple(word for word in found if word.terms)


@lru_cache(maxsize=65_536)
def name_terms(text: str) -> tuple[str, ...]:
    """The indexed words of a first or last name, in order."""
    return tuple(term for word in name_words(text) for term in word.terms)


def address_terms(email: str) -> tuple[str, str]:
    """`(local part, whole address)`, folded; the local part of something without `@` is all of it."""
    whole = "".join(fold(email).split())
    return whole.rpartition("@")[0] or whole, whole


def address_chunks(text: str) -> list[str]:
    """The parts of a query that may be an address or its local part: split at white space, punctuation trimmed."""
    chunks = (_EDGES.sub("", fold(match.group())) for match in _CHUNK.finditer(text))
    return [chunk for chunk in chunks if chunk]


def _strip_marks(text: str) -> str:
    """Compatibility forms resolved (full-width letters, ligatures) and combining marks removed."""
    decomposed = unicodedata.normalize("NFKD", text)
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))
