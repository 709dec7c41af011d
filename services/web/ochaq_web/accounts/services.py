"""Changing users, sessions and tokens. Doors and other apps come here; facts are emitted in the same transaction."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.contrib.auth import authenticate, login, logout, update_session_auth_hash
from django.contrib.auth.models import Group
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ochaq_shared import outbox
from ochaq_shared.events.accounts import SessionRevoked, UserRegistered
from ochaq_shared.problems import Problem
from prometheus_client import Counter

from ochaq_web.accounts.models import RefreshToken, Session, TokenFamily, User, short_hash
from ochaq_web.core.identity import ACCESS_AUDIENCE, ACCESS_TYPE, signer

ACCESS_SECONDS = 10 * 60
REFRESH_LIFETIME = timedelta(days=14)

LOGINS = Counter("ochaq_logins_total", "Sign-ins by way and outcome", ["way", "outcome"])
REUSED = Counter("ochaq_refresh_reused_total", "Refresh tokens that came a second time")


@dataclass(frozen=True)
class Tokens:
    """What an API client holds."""

    access: str
    refresh: str


@transaction.atomic
def user_register(
    *,
    email: str,
    password: str | None,
    roles: Iterable[str] = (),
    handle: str | None = None,
    name: str = "",
    is_staff: bool = False,
) -> User:
    """A new user with these roles; emits `accounts.user.registered`."""
    user: User = User.objects.create_user(email, password, handle=handle, name=name, is_staff=is_staff)
    user.groups.set(Group.objects.filter(name__in=list(roles)))
    outbox.emit(connection, UserRegistered(id=str(user.pk), email=user.email), subject=f"user:{user.pk}", version=1)
    return user


def session_start(request: HttpRequest, user: User) -> None:
    """Sign a browser in; the session gets a new key (against fixation)."""
    login(request, user)
    LOGINS.labels("page", "ok").inc()


def language_apply(response: HttpResponse, user: User) -> None:
    """Let this browser speak the user's language from its next page on."""
    if user.language in dict(settings.LANGUAGES):
        response.set_cookie(
            settings.LANGUAGE_COOKIE_NAME,
            user.language,
            max_age=settings.LANGUAGE_COOKIE_AGE,
            samesite="Lax",
            secure=settings.SESSION_COOKIE_SECURE,
        )


@transaction.atomic
def session_end(request: HttpRequest) -> None:
    """Sign a browser out; its sockets close through `accounts.session.revoked`."""
    key, user = request.session.session_key, request.user
    logout(request)
    if key and user.is_authenticated:
        _announce_end(user.pk, short_hash(key))


@transaction.atomic
def password_changed(request: HttpRequest | None, user: User) -> None:
    """Every other session and every API sign-in of the user ends; the browser it was changed in stays signed in.

    Call it after the new password was saved.
    """
    keep = request.session.session_key if request is not None else None
    for session in Session.objects.select_for_update().filter(user=user).exclude(session_key=keep or ""):
        session.get_session_store_class()(session.session_key).delete()
        _announce_end(user.pk, session.short)
    families = TokenFamily.objects.select_for_update().filter(user=user, revoked_at=None)
    for family in families:
        _revoke(family, "password")
    if request is not None:
        # Rotates the session's key, so the old one is over too.
        update_session_auth_hash(request, user)
        if keep:
            _announce_end(user.pk, short_hash(keep))


@transaction.atomic
def user_deactivate(*, user: User) -> None:
    """Switch a user off: tokens and sessions stop at once, sockets within seconds."""
    user.is_active = False
    user.save(update_fields=["is_active"])
    _announce_end(user.pk, None)


def identity_token(request: HttpRequest, *, audience: str) -> str:
    """A 60-second token for another service that speaks for whoever sent this request; raises `auth.required`."""
    if not isinstance(request.user, User):
        raise Problem("auth.required")
    key = request.session.session_key
    user, session = request.user, short_hash(key) if key else None
    return signer().sign(audience, str(user.pk), roles=user.role_names, session=session)


def tokens_for_credentials(*, login: str, password: str) -> Tokens:
    """Sign an API client in; raises `auth.invalid_credentials`."""
    user = authenticate(None, username=login, password=password)
    if not isinstance(user, User):
        LOGINS.labels("token", "failed").inc()
        raise Problem("auth.invalid_credentials")
    LOGINS.labels("token", "ok").inc()
    return tokens_issue(user=user)


@transaction.atomic
def tokens_issue(*, user: User) -> Tokens:
    """A new family with its first pair."""
    expires = timezone.now() + REFRESH_LIFETIME
    family = TokenFamily(user=user, expires_at=expires)
    family.session = short_hash(f"family:{family.pk}")
    family.save(force_insert=True)
    return _pair(family, user)


def tokens_refresh(*, refresh: str) -> Tokens:
    """Replace a refresh token. A token that was replaced already was stolen or copied: its whole family ends."""
    with transaction.atomic():
        token = (
            RefreshToken.objects.select_for_update(of=("self",))
            .select_related("family__user")
            .filter(digest=_digest(refresh))
            .first()
        )
        if token is not None and token.used_at is None and _alive(token.family):
            token.used_at = timezone.now()
            token.save(update_fields=["used_at"])
            return _pair(token.family, token.family.user)
        if token is not None and token.used_at is not None and token.family.revoked_at is None:
            REUSED.inc()
            _revoke(token.family, "reuse")
    # Raised outside the block: the revocation must be committed, not rolled back with the refusal.
    raise Problem("auth.invalid_token")


def _alive(family: TokenFamily) -> bool:
    return family.revoked_at is None and family.expires_at > timezone.now() and family.user.is_active


def _pair(family: TokenFamily, user: User) -> Tokens:
    refresh = secrets.token_urlsafe(32)
    RefreshToken.objects.create(family=family, digest=_digest(refresh))
    access = signer().sign(
        ACCESS_AUDIENCE,
        str(user.pk),
        roles=user.role_names,
        session=family.session,
        lifetime=ACCESS_SECONDS,
        typ=ACCESS_TYPE,
    )
    return Tokens(access, refresh)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def _revoke(family: TokenFamily, reason: str) -> None:
    family.revoked_at = timezone.now()
    family.revoked_because = reason
    family.save(update_fields=["revoked_at", "revoked_because"])
    _announce_end(family.user_id, family.session)


def _announce_end(user_id: object, session: str | None) -> None:
    fact = SessionRevoked(user_id=str(user_id), session=session)
    outbox.emit(connection, fact, subject=f"sessions:{user_id}", version=0)


def sweep() -> None:
    """Forget sessions and API sign-ins that are over."""
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    TokenFamily.objects.filter(expires_at__lt=timezone.now()).delete()
