"""How API requests say who they are: an access token, or the browser's session with CSRF protection."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.middleware.csrf import CsrfViewMiddleware
from ochaq_shared.identity import bearer
from ochaq_shared.problems import Problem
from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from ochaq_web.accounts import selectors
from ochaq_web.core import identity, problems


class BearerAuthentication(BaseAuthentication):
    """`Authorization: Bearer <access>`; a token that does not hold is refused even where anonymous may come in."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        token = bearer(request.headers.get("Authorization"))
        if token is None:
            return None
        found = identity.access_tokens().verify(token)
        user = selectors.user_of_access(found)
        if user is None:
            raise Problem("auth.invalid_token", headers={"WWW-Authenticate": 'Bearer error="invalid_token"'})
        return (user, found)

    def authenticate_header(self, request: Request) -> str:
        return problems.AUTHENTICATE


class SessionAuthentication(BaseAuthentication):
    """The browser's session. Unsafe methods need the CSRF token, which a page of another site cannot read."""

    def authenticate(self, request: Request) -> tuple[Any, Any] | None:
        user = getattr(request._request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        _require_csrf_token(request)
        return (user, None)


class _Check(CsrfViewMiddleware):
    def _reject(self, request: Any, reason: str) -> Any:
        return reason


def _require_csrf_token(request: Request) -> None:
    check = _Check(lambda request: HttpResponse())
    check.process_request(request._request)
    reason = check.process_view(request._request, HttpResponse, (), {})
    if reason:
        raise Problem("auth.csrf", "Send the page's CSRF token as X-CSRFToken.")
