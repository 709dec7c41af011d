"""Keyset pages: a cursor names the last row seen, so that every page costs the same however far one has come."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import orjson
from ochaq_shared.problems import FieldError, Problem
from sqlalchemy import ColumnElement, Select

T = TypeVar("T")
MAX_CURSOR = 4096


@dataclass(frozen=True)
class Cursor:
    """A place in a list: after which key to go on, or before which to go back. Without a key: the beginning."""

    key: str | None = None
    back: bool = False
    descending: bool = True

    def narrow(self, query: Select[Any], column: ColumnElement[Any]) -> Select[Any]:
        """The query from this place on, in reading order; a page before this place comes in reverse."""
        down = self.descending is not self.back
        if self.key is not None:
            query = query.where(column < self.key if down else column > self.key)
        return query.order_by(column.desc() if down else column.asc())

    def encode(self) -> str:
        raw = orjson.dumps([self.key, self.back])
        return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


@dataclass(frozen=True)
class Page(Generic[T]):
    """Some rows of a list and the cursors of the pages around them."""

    results: list[T]
    next: str | None
    previous: str | None


def cursor_parse(raw: str | None, check: Callable[[str], bool], *, descending: bool = True) -> Cursor:
    """A cursor from a request; `check` tells whether its key can be one of the list's; raises `request.invalid`."""
    if raw is None:
        return Cursor(descending=descending)
    try:
        if len(raw) > MAX_CURSOR:
            raise ValueError("too long")
        key, back = orjson.loads(base64.b64decode(raw + "=" * (-len(raw) % 4), altchars=b"-_", validate=True))
        if not isinstance(key, str) or not isinstance(back, bool) or not check(key):
            raise ValueError("not one of ours")
    except (ValueError, TypeError, binascii.Error) as error:
        found = FieldError("cursor", "invalid", "is not a cursor of this list")
        raise Problem("request.invalid", "The cursor is not one of ours.", errors=[found]) from error
    return Cursor(key, back, descending)


def page_of(rows: Sequence[T], cursor: Cursor, limit: int, key: Callable[[T], str]) -> Page[T]:
    """The page of a query that asked for one row more than `limit`."""
    more = len(rows) > limit
    kept = list(rows[:limit])
    if cursor.back:
        kept.reverse()
    has_next = bool(kept) if cursor.back else more
    has_previous = more if cursor.back else cursor.key is not None and bool(kept)
    return Page(
        kept,
        Cursor(key(kept[-1])).encode() if has_next else None,
        Cursor(key(kept[0]), back=True).encode() if has_previous else None,
    )
