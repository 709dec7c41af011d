"""Cached answers as HTTP: validators, conditional requests, and who may keep a copy."""

from __future__ import annotations

import re

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotModified
from ochaq_shared.problems import Problem

from ochaq_web.cookbook.models import Recipe
from ochaq_web.cookbook.rendered import Answer
from ochaq_web.cookbook.representation import etag
from ochaq_web.cookbook.services import Guard

_TAGS = re.compile(r'(?:W/)?("[^"]*")')

# A shared cache may answer for one second by itself; a browser asks every time and mostly gets a 304.
ANONYMOUS = "public, max-age=0, s-maxage=1"
SIGNED_IN = "private, max-age=0"


def reply(request: HttpRequest, answer: Answer) -> HttpResponse:
    """The answer, or 304 where the client has it. No `Vary`: no header of the request changes these bytes."""
    known = request.headers.get("If-None-Match")
    if known is not None and names(known, answer.etag):
        response: HttpResponse = HttpResponseNotModified()
    else:
        response = HttpResponse(answer.body, content_type="application/json")
    response.headers["ETag"] = answer.etag
    response.headers["Cache-Control"] = SIGNED_IN if carries_credentials(request) else ANONYMOUS
    response.headers["Cache-Status"] = answer.cache_status
    return response


def carries_credentials(request: HttpRequest) -> bool:
    """Whether somebody signed in may be asking. Whether the credentials are good does not matter for `private`."""
    return "Authorization" in request.headers or settings.SESSION_COOKIE_NAME in request.COOKIES


def is_for_everybody(request: HttpRequest) -> bool:
    """Whether a page that was just rendered holds nothing of its reader: no cookie came but the language's (which
    `Vary` covers), and no form on it made a token."""
    cookies = request.COOKIES.keys() - {settings.LANGUAGE_COOKIE_NAME}
    return not cookies and "Authorization" not in request.headers and not request.META.get("CSRF_COOKIE_NEEDS_UPDATE")


def names(header: str, tag: str) -> bool:
    """Whether an `If-Match` or `If-None-Match` names this tag (RFC 9110, section 13.1).

    Weak and strong forms count as equal in both: nginx weakens our tags when it compresses, and a client that got one
    that way must still be able to save.
    """
    return header.strip() == "*" or tag in _TAGS.findall(header)


def guard(request: HttpRequest) -> Guard:
    """Refuses with 412 when the request's `If-Match` does not name the version that is there now."""
    wanted = request.headers.get("If-Match")

    def check(recipe: Recipe) -> None:
        if wanted is not None and not names(wanted, etag(recipe)):
            raise Problem("precondition_failed", headers={"ETag": etag(recipe)})

    return check
