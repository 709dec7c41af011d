"""Reading JSON bodies: what Python's parser lets through and a database or a client cannot hold is refused here."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any

from ochaq_shared.problems import FieldError, Problem
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

# Escapes that may decode to text PostgreSQL cannot store: NUL, and halves of surrogate pairs.
_SUSPICIOUS = re.compile(r"\\u(0000|[dD][89a-fA-F])")
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TOO_BIG = "is outside the range of a number"


class StrictJSONParser(BaseParser):
    """UTF-8 JSON (RFC 8259). Malformed: 400. Well-formed but not storable (NUL, 1e400): 422."""

    media_type = "application/json"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        request = parser_context["request"]
        # `body` enforces DATA_UPLOAD_MAX_MEMORY_SIZE, which reading the stream would not.
        return loads(request._request.body)


class AlwaysJSON(DefaultContentNegotiation):
    """The API speaks JSON whatever `Accept` says: a 406 would help nobody."""

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def loads(body: bytes) -> Any:
    """The value in a JSON text; raises `Problem`."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise Problem("request.malformed", "The body is not UTF-8.") from None
    try:
        value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)
    except RecursionError:
        raise Problem("request.malformed", "The JSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise Problem("request.malformed", f"The JSON breaks at line {error.lineno}, column {error.colno}.") from None
    if _SUSPICIOUS.search(text):
        _refuse_unstorable(value)
    return value


def _refuse_constant(name: str) -> Any:
    raise Problem("request.malformed", f"{name} is not JSON.")


def _finite(digits: str) -> float:
    number = float(digits)
    if math.isinf(number):
        raise Problem("request.invalid", f"{digits[:20]} {_TOO_BIG}.")
    return number


def _bounded(digits: str) -> int:
    # Python refuses to read integers of more than 4,300 digits with a ValueError; we stop long before.
    if len(digits) > 100:
        raise Problem("request.invalid", f"{digits[:20]}… {_TOO_BIG}.")
    return int(digits)


def _refuse_unstorable(value: Any) -> None:
    errors = [
        FieldError(pointer, "null_characters_not_allowed", "Characters that cannot be stored.")
        for pointer in _unstorable(value)
    ]
    if errors:
        raise Problem("request.invalid", errors=errors)


def _unstorable(value: Any, pointer: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            yield pointer
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _unstorable(item, f"{pointer}/{index}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if _UNSTORABLE.search(key):
                yield pointer
            yield from _unstorable(item, f"{pointer}/{key}")
