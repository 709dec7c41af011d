"""The gateway's question: whose request is this? Answered once per request, so it must stay cheap.

The gateway hands over the browser's cookie or the API client's token and gets a 60-second identity token for the one
service that the request goes to. nginx understands 2xx, 401 and 403 only, so there is no other answer.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt
from ochaq_shared.identity import bearer
from ochaq_shared.problems import Problem

from ochaq_web.accounts.selectors import Caller, caller_of_access, caller_of_session
from ochaq_web.config.environment import environment
from ochaq_web.core.identity import access_tokens, signer

AUDIENCES = {"files", "search", "realtime"}
SAFE = {"GET", "HEAD", "OPTIONS"}


@csrf_exempt
def identity(request: HttpRequest) -> HttpResponse:
    """204 with `X-Ochaq-Identity`, or without it for a visitor; 401 a wrong token; 403 a request of another site."""
    audience = request.headers.get("X-Ochaq-Audience", "")
    if audience not in AUDIENCES:
        raise Problem("auth.forbidden", "X-Ochaq-Audience names no service.")
    response = HttpResponse(status=204)
    caller = _by_token(request) or _by_session(request)
    if caller:
        response.headers["X-Ochaq-Identity"] = signer().sign(
            audience, str(caller.user_id), roles=caller.roles, session=caller.session
        )
    response.headers["Cache-Control"] = "no-store"
    return response


def _by_token(request: HttpRequest) -> Caller | None:
    token = bearer(request.headers.get("Authorization"))
    if token is None:
        return None
    caller = caller_of_access(access_tokens().verify(token))
    if caller is None:
        raise Problem("auth.invalid_token")
    return caller


def _by_session(request: HttpRequest) -> Caller | None:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key or "\x00" in key:
        return None
    if request.headers.get("X-Original-Method", "GET").upper() not in SAFE and not _same_site(request):
        # The cookie came along by itself; nothing shows that one of our pages sent the request.
        raise Problem("auth.cross_site")
    return caller_of_session(key)


def _same_site(request: HttpRequest) -> bool:
    if request.headers.get("Sec-Fetch-Site") in {"same-origin", "none"}:
        return True
    source = request.headers.get("Origin") or request.headers.get("Referer", "")
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc}" == environment().public_url
