"""Reading users and sessions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.db.models import Exists, F, OuterRef
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from ochaq_shared.identity import Identity

from ochaq_web.accounts.models import TokenFamily, User
from ochaq_web.accounts.sessions import SessionStore


def user_of_access(identity: Identity) -> User | None:
    """The active user of an access token whose family still lives, in one query."""
    try:
        key = UUID(identity.subject)
    except ValueError:
        return None
    family = TokenFamily.objects.filter(user=OuterRef("pk"), session=identity.session or "", revoked_at=None)
    found: User | None = User.objects.with_roles().filter(Exists(family), pk=key, is_active=True).first()
    return found


def user_of_session(session_key: str) -> User | None:
    """The active user of a browser's session, in one query and without a cache.

    The gateway asks this for each request. What PostgreSQL says counts: a sign-out or a new password holds at once.
    """
    user: Any = (
        User.objects.with_roles()
        .filter(sessions__session_key=session_key, sessions__expire_date__gt=timezone.now(), is_active=True)
        .annotate(session_data=F("sessions__session_data"))
        .first()
    )
    if user is None:
        return None
    remembered = SessionStore().decode(user.session_data).get(HASH_SESSION_KEY, "")
    # Django's own check: the session was made with the password the user has now.
    return user if constant_time_compare(remembered, user.get_session_auth_hash()) else None
