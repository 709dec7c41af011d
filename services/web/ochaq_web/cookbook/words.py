"""Names in Latin letters: for addresses, and for finding «Борщ» by typing borsch.

The tables serve addresses and search, not scholarship: one letter in, the same few letters out, today and in ten years,
because an address must never change.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby

MAX_SLUG = 80


def _spelled(line: str) -> list[str]:
    """One spelling for each letter; `_` stands for letters that are not heard."""
    return [word.replace("_", "") for word in line.split()]


_CYRILLIC = dict(
    zip(
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяўқғҳіїєґ",
        _spelled("a b v g d e yo zh z i y k l m n o p r s t u f kh ts ch sh sch _ y _ e yu ya o q g h i yi ye g"),
        strict=True,
    )
)
_GEORGIAN = dict(
    zip(
        "აბგდევზთიკლმნოპჟრსტუფქღყშჩცძწჭხჯჰ",
        _spelled("a b g d e v z t i k l m n o p zh r s t u p k gh q sh ch ts dz ts ch kh j h"),
        strict=True,
    )
)
_GREEK = dict(
    zip("αβγδεζηθικλμνξοπρσςτυφχψω", _spelled("a v g d e z i th i k l m n x o p r s s t y f ch ps o"), strict=True)
)
_LATIN = {"ı": "i", "ß": "ss", "æ": "ae", "œ": "oe", "ø": "o", "đ": "d", "ł": "l", "þ": "th", "ð": "d"}
# Oʻzbekcha writes oʻ and gʻ with U+02BB, and people type any apostrophe for it: all of them vanish.
_SILENT = dict.fromkeys("ʻʼ'’‘`´ʹ", "")
_LETTERS = str.maketrans(_CYRILLIC | _GEORGIAN | _GREEK | _LATIN | _SILENT)


def latin(text: str) -> str:
    """`text` in lower case with Latin letters where we know them without accents; other scripts stay as they are."""
    # ё, й, ї and ў are letters of their own, so they are looked up before accents are taken off.
    known = unicodedata.normalize("NFC", text).casefold().translate(_LETTERS)
    bare = "".join(letter for letter in unicodedata.normalize("NFKD", known) if not unicodedata.combining(letter))
    return bare.translate(_LETTERS)


def slug_of(name: str) -> str:
    """The word for an address: ASCII letters, digits and single hyphens; `recipe` when nothing of the name is left."""
    # "ხინკალი (khinkali)" says the same word twice, in two scripts.
    words = [word for word, _ in groupby(re.findall(r"[a-z0-9]+", latin(name)))]
    return "-".join(words)[:MAX_SLUG].strip("-") or "recipe"


def folded(*texts: str) -> str:
    """What search compares: each text as it is and in Latin letters, without case and accents."""
    words: dict[str, None] = {}
    for text in texts:
        words |= dict.fromkeys(unicodedata.normalize("NFC", text).casefold().split())
        words |= dict.fromkeys(latin(text).split())
    return " ".join(words)
