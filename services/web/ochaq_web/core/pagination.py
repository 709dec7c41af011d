"""Keyset pages: as fast on the last page as on the first, and no row twice when rows come and go in between.

A cursor names the last row seen by its ordering values. It is signed together with the ordering, so a cursor that was
changed, or that belongs to another list or another order, is refused with 422.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.crypto import constant_time_compare, salted_hmac
from ochaq_shared.problems import FieldError, Problem
from rest_framework.request import Request

from ochaq_web.config.environment import environment

DEFAULT_LIMIT = 25
MAX_LIMIT = 200
MAX_CURSOR = 1024

Row = TypeVar("Row", bound=Model)


@dataclass(frozen=True)
class Page(Generic[Row]):
    """One page of rows and the cursors of its neighbours."""

    rows: list[Row]
    next_cursor: str | None
    previous_cursor: str | None
    path: str
    query: Mapping[str, list[str]]

    def body(self, results: Sequence[Any]) -> dict[str, Any]:
        """The API's answer: absolute addresses, ready to be followed."""
        base = environment().public_url
        return {
            "results": results,
            "next": _url(self, self.next_cursor, base),
            "previous": _url(self, self.previous_cursor, base),
        }

    @property
    def next_url(self) -> str | None:
        """For links in pages: without the host, so that they stay where the reader is."""
        return _url(self, self.next_cursor, "")

    @property
    def previous_url(self) -> str | None:
        return _url(self, self.previous_cursor, "")


def paginate(
    request: HttpRequest | Request, queryset: QuerySet[Row], ordering: Sequence[str], *, limit: int | None = None
) -> Page[Row]:
    """The page of `queryset` that the request's `limit` and `cursor` ask for.

    `ordering` must be total: end it with a unique field. Its fields must not be null. `limit` overrides the request's.
    """
    rows_wanted = limit or limit_from(request.GET.get("limit"))
    cursor = _decode(request.GET.get("cursor"), queryset, ordering)
    rows, more = _slice(queryset, ordering, cursor, rows_wanted)
    backward = cursor is not None and cursor.backward
    has_next = more if not backward else True
    has_previous = more if backward else cursor is not None
    return Page(
        rows=rows,
        next_cursor=_encode(rows[-1], ordering, backward=False) if rows and has_next else None,
        previous_cursor=_encode(rows[0], ordering, backward=True) if rows and has_previous else None,
        path=request.path,
        query={name: request.GET.getlist(name) for name in request.GET if name != "cursor"},
    )


def limit_from(text: str | None) -> int:
    """`limit` as a number from 1 to 200; anything else is a 422."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 5 and 1 <= int(text) <= MAX_LIMIT):
        raise _refused("limit", f"A number from 1 to {MAX_LIMIT}.")
    return int(text)


@dataclass(frozen=True)
class _Cursor:
    values: list[Any]
    backward: bool


def _slice(
    queryset: QuerySet[Row], ordering: Sequence[str], cursor: _Cursor | None, limit: int
) -> tuple[list[Row], bool]:
    """Up to `limit` rows in list order, and whether more rows follow in the direction of travel."""
    direction = [_flipped(field) for field in ordering] if cursor and cursor.backward else list(ordering)
    if cursor:
        queryset = queryset.filter(_beyond(direction, cursor.values))
    found = list(queryset.order_by(*direction)[: limit + 1])
    rows = found[:limit]
    if cursor and cursor.backward:
        rows.reverse()
    return rows, len(found) > limit


def _beyond(direction: Sequence[str], values: Sequence[Any]) -> Q:
    """Rows after `values`: a > x, or a = x and (b > y, or …); the leading bound keeps it a range scan."""
    condition: Q | None = None
    for field, value in reversed(list(zip(direction, values, strict=True))):
        name, word = field.lstrip("-"), "lt" if field.startswith("-") else "gt"
        beyond = Q(**{f"{name}__{word}": value})
        condition = beyond if condition is None else Q(**{f"{name}__{word}e": value}) & (beyond | condition)
    return condition or Q()


def _flipped(field: str) -> str:
    return field[1:] if field.startswith("-") else f"-{field}"


def _encode(row: Model, ordering: Sequence[str], *, backward: bool) -> str:
    values = [_plain(getattr(row, field.lstrip("-"))) for field in ordering]
    payload = json.dumps([int(backward), *values], separators=(",", ":"), ensure_ascii=False).encode()
    return f"{_base64(payload)}.{_signature(payload, ordering, type(row))}"


def _decode(text: str | None, queryset: QuerySet[Row], ordering: Sequence[str]) -> _Cursor | None:
    if text is None:
        return None
    try:
        encoded, _, signature = text[:MAX_CURSOR].partition(".")
        payload = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4))
        if not constant_time_compare(signature, _signature(payload, ordering, queryset.model)):
            raise ValueError("wrong signature")
        backward, *values = json.loads(payload)
        typed = [_typed(queryset.model, field, value) for field, value in zip(ordering, values, strict=True)]
    except (ValueError, TypeError, binascii.Error, ValidationError):
        raise _refused("cursor", "This is no cursor of this list.") from None
    return _Cursor(typed, bool(backward))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value) if isinstance(value, UUID | Decimal) else value


def _typed(model: type[Model], name: str, value: Any) -> Any:
    try:
        return model._meta.get_field(name.lstrip("-")).to_python(value)  # type: ignore[union-attr]
    except FieldDoesNotExist:  # an annotation: its value is already what JSON made of it
        return value


def _signature(payload: bytes, ordering: Sequence[str], model: type[Model]) -> str:
    salt = f"ochaq.cursor:{model._meta.label_lower}:{','.join(ordering)}"
    return _base64(salted_hmac(salt, payload, algorithm="sha256").digest()[:12])


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _url(page: Page[Any], cursor: str | None, base: str) -> str | None:
    if cursor is None:
        return None
    pairs = [(name, value) for name, values in page.query.items() for value in values]
    return f"{base}{page.path}?{urlencode([*pairs, ('cursor', cursor)])}"


def _refused(name: str, detail: str) -> Problem:
    return Problem("request.invalid", errors=[FieldError(name, "invalid", detail)])
