"""The cookbook's pages: the spread table, one recipe, and its plate."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from ochaq_web.cookbook import answers
from ochaq_web.cookbook.plates import plate_of
from ochaq_web.cookbook.rendered import Answer
from ochaq_web.cookbook.replies import ANONYMOUS, is_for_everybody, names
from ochaq_web.core.policy import Act, allows

YEAR = "public, max-age=31536000, immutable"
MINUTE = "public, max-age=60"


@require_safe
def recipe_list(request: HttpRequest) -> HttpResponse:
    asked = answers.question(request.path, request.GET)
    shown, answer = answers.list_page(asked)
    filters = asked.filters
    context = {
        **shown,
        "q": filters.q,
        "tag": filters.tag,
        "food": filters.food,
        "tags": [_chip(tag, filters.q, filters.tag) for tag in shown["tags"]],
        "cache": _cache(answer),
    }
    return _page(request, "cookbook/recipe_list.html", context, answer)


@require_safe
def recipe_detail(request: HttpRequest, slug: str) -> HttpResponse:
    shown, answer = answers.detail_page(slug)
    context = {**shown, "can_edit": allows(request.user, Act.RECIPES_WRITE), "cache": _cache(answer)}
    return _page(request, "cookbook/recipe_detail.html", context, answer)


@require_safe
def plate(request: HttpRequest, slug: str) -> HttpResponse:
    """The recipe's picture. With the current version in its address it may be kept for ever."""
    answer, version = plate_of(slug)
    response = HttpResponse(answer.body, content_type="image/svg+xml; charset=utf-8")
    if names(request.headers.get("If-None-Match", ""), answer.etag):
        response = HttpResponse(status=304)
    response.headers["Cache-Control"] = YEAR if request.GET.get("v") == version else MINUTE
    response.headers["ETag"] = answer.etag
    response.headers["Cache-Status"] = answer.cache_status
    # The picture has neither scripts nor styles nor links, and opened as a page it may not grow any.
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return response


def _page(request: HttpRequest, template: str, context: dict[str, Any], answer: Answer) -> HttpResponse:
    response = render(request, template, context)
    response.headers["Cache-Status"] = answer.cache_status
    response.headers["Cache-Control"] = ANONYMOUS if is_for_everybody(request) else "private, no-cache"
    return response


def _cache(answer: Answer) -> dict[str, Any]:
    return {"status": "hit" if answer.status == "hit" else "miss", "ttl": max(answer.ttl, 0)}


def _chip(tag: dict[str, Any], q: str, chosen: str) -> dict[str, Any]:
    """A tag as a link: choosing the chosen one takes it away."""
    selected = tag["name"].casefold() == chosen.casefold()
    asked = {name: value for name, value in (("q", q), ("tag", "" if selected else tag["name"])) if value}
    address = reverse("recipe-list")
    return {**tag, "url": f"{address}?{urlencode(asked)}" if asked else address, "selected": selected}
