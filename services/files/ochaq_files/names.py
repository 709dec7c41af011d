"""What a file and a folder may be called.

Names are kept in NFC, so that one name has one spelling. What could lead out of a folder, fool a reader or break on
another system is refused with its reason; what only a careless client sends (a path before the name) is cut off.
"""

from __future__ import annotations

import re
import unicodedata

from ochaq_shared.problems import FieldError, Problem

from ochaq_files.problems import FOLDER_INVALID, NAME_INVALID

MAX_NAME_BYTES = 255
MAX_FOLDER_BYTES = 1024
MAX_DEPTH = 32

RESERVED = re.compile(r"^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])$", re.IGNORECASE)
# Bidirectional overrides make "exe.txt" out of "txt.exe"; line and paragraph separators break listings.
_FOOLING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u2028\u2029\ufeff")


class _Unfit(ValueError):
    """Why a name cannot be used."""


def file_name(raw: str) -> str:
    """The name a file gets; raises `files.name_invalid`.

    A path before the name is cut off, as RFC 7578 section 4.2 asks, but a path that climbs (`..`) is refused.
    """
    try:
        parts = re.split(r"[/\\]", raw)
        if ".." in parts:
            raise _Unfit("must not contain ..")
        return _segment(parts[-1])
    except _Unfit as unfit:
        raise _problem(NAME_INVALID, "/name", str(unfit)) from unfit


def new_name(raw: str) -> str:
    """The name a person gives to a file that is there: nothing is cut off it; raises `files.name_invalid`."""
    if re.search(r"[/\\]", raw):
        raise _problem(NAME_INVALID, "/name", "must not contain / or \\")
    return file_name(raw)


def folder_path(raw: str) -> str:
    """A folder's path in canonical form: `a/b`, the empty string for the top; raises `files.folder_invalid`."""
    try:
        if "\\" in raw:
            raise _Unfit("must use / between folders")
        segments = [_segment(part) for part in raw.split("/") if part]
        path = "/".join(segments)
        if len(segments) > MAX_DEPTH or len(path.encode()) > MAX_FOLDER_BYTES:
            raise _Unfit(f"must have at most {MAX_DEPTH} levels and {MAX_FOLDER_BYTES} bytes")
        return path
    except _Unfit as unfit:
        raise _problem(FOLDER_INVALID, "/folder", str(unfit)) from unfit


def reserved(name: str) -> bool:
    """True for the device names that Windows takes whatever their extension."""
    return RESERVED.match(name.split(".", 1)[0].strip()) is not None


def printable(text: str) -> bool:
    """True when nothing in the text controls, hides or turns around what is around it."""
    # What Python calls printable holds nothing of the kind; the rest needs a closer look: emoji are made of joiners.
    return text.isprintable() or not any(
        character in _FOOLING or unicodedata.category(character) in {"Cc", "Cs", "Cn"} for character in text
    )


def _segment(raw: str) -> str:
    if not printable(raw):
        raise _Unfit("must not contain control characters")
    if raw in {".", ".."}:
        raise _Unfit("must not be . or ..")
    name = unicodedata.normalize("NFC", raw).strip().rstrip(". ")
    if not name:
        raise _Unfit("must not be empty")
    if reserved(name):
        raise _Unfit("is the name of a device on Windows")
    if len(name.encode()) > MAX_NAME_BYTES:
        raise _Unfit(f"must have at most {MAX_NAME_BYTES} bytes")
    return name


def _problem(code: str, pointer: str, why: str) -> Problem:
    subject = pointer[1:].capitalize()
    return Problem(code, f"{subject} {why}.", errors=[FieldError(pointer, "invalid", why)])
