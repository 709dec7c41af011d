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

from ochaq_web.accounts import selectors, services
from ochaq_web.accounts.models import User, short_hash
from ochaq_web.config.environment import environment
from ochaq_web.core.identity import access_tokens

AUDIENCES = {"files", "search", "realtime"}
SAFE = {"GET", "HEAD", "OPTIONS"}


@csrf_exempt
def identity(request: HttpRequest) -> HttpResponse:
    """204 with `X-Ochaq-Identity`, or without it for a visitor; 401 a wrong token; 403 a request of another site."""
    audience = request.headers.get("X-Ochaq-Audience", "")
    if audience not in AUDIENCES:
        raise Problem("auth.forbidden", "X-Ochaq-Audience names no service.")
    response = HttpResponse(status=204)
    found = _by_token(request) or _by_session(request)
    if found:
        user, session = found
        response.headers["X-Ochaq-Identity"] = services.identity_sign(user=user, session=session, audience=audience)
    response.headers["Cache-Control"] = "no-store"
    return response


def _by_token(request: HttpRequest) -> tuple[User, str] | None:
    token = bearer(request.headers.get("Authorization"))
    if token is None:
        return None
    claimed = access_tokens().verify(token)
    user = selectors.user_of_access(claimed)
    if user is None:
        raise Problem("auth.invalid_token")
    return user, claimed.session or ""


def _by_session(request: HttpRequest) -> tuple[User, str] | None:
    key = request.COOKIES.get(settings.SESSION_COOKIE_NAME)
    if not key:
        return None
    if request.headers.get("X-Original-Method", "GET").upper() not in SAFE and not _same_site(request):
        # The cookie came along by itself; nothing shows that one of our pages sent the request.
        raise Problem("auth.cross_site")
    user = None if "\x00" in key else selectors.user_of_session(key)
    return (user, short_hash(key)) if user else None


def _same_site(request: HttpRequest) -> bool:
    if request.headers.get("Sec-Fetch-Site") in {"same-origin", "none"}:
        return True
    source = request.headers.get("Origin") or request.headers.get("Referer", "")
    parts = urlsplit(source)
    return f"{parts.scheme}://{parts.netloc}" == environment().public_url
