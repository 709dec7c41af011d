"""Doors: `/ops/events/`, the catalogue of events, and its AsyncAPI document. Both are made from the registry itself."""

from __future__ import annotations

from functools import cache
from itertools import groupby
from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from ochaq_shared.events import asyncapi
from ochaq_shared.events.catalogue import EventType, catalogue

from ochaq_web.core.policy import Act, page


@require_safe
@page(Act.OPS_SEE)
def events(request: HttpRequest) -> HttpResponse:
    """Every event type, by domain."""
    return render(request, "ops/events.html", {"domains": _domains(), "total": len(catalogue())})


@require_safe
@page(Act.OPS_SEE)
def document(request: HttpRequest) -> HttpResponse:
    """The AsyncAPI 3.0 document."""
    return HttpResponse(_document(), content_type="application/json")


@cache
def _document() -> bytes:
    return orjson.dumps(asyncapi.document(), option=orjson.OPT_INDENT_2)


@cache
def _domains() -> list[dict[str, Any]]:
    rows = groupby(catalogue(), key=lambda row: row.name.partition(".")[0])
    return [{"name": name, "types": [_shown(row) for row in found]} for name, found in rows]


def _coded(text: str) -> SafeString:
    """A docstring's words, with what stands in `backticks` set as code."""
    parts = enumerate(text.split("`"))
    return format_html_join("", "{}", ((format_html("<code>{}</code>", part) if n % 2 else part,) for n, part in parts))


def _shown(row: EventType) -> dict[str, Any]:
    first, _, rest = row.description.partition("\n\n")
    return {
        "row": row,
        "first": _coded(first),
        "rest": _coded(rest),
        "urgency": row.model.lane.name.lower(),
        "example": orjson.dumps(row.example, option=orjson.OPT_INDENT_2).decode(),
    }
