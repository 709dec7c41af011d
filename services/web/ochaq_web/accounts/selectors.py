"""Reading users and sessions."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.db import connection
from django.db.models import Exists, OuterRef
from django.utils.crypto import constant_time_compare
from ochaq_shared.identity import Identity

from ochaq_web.accounts.models import TokenFamily, User, short_hash
from ochaq_web.accounts.sessions import SessionStore

_ROLES = """
array(SELECT g.name::text FROM accounts_user_groups m JOIN auth_group g ON g.id = m.group_id WHERE m.user_id = u.id)
"""
_CALLER_OF_SESSION = f"""
SELECT u.id, {_ROLES}, u.password, s.session_data FROM accounts_session s JOIN accounts_user u ON u.id = s.user_id
WHERE s.session_key = %s AND s.expire_date > now() AND u.is_active
"""  # noqa: S608 - put together from constants
_CALLER_OF_FAMILY = f"""
SELECT u.id, {_ROLES} FROM accounts_tokenfamily f JOIN accounts_user u ON u.id = f.user_id
WHERE f.session = %s AND u.id::text = %s AND f.revoked_at IS NULL AND u.is_active
"""  # noqa: S608 - put together from constants


def user_of_access(identity: Identity) -> User | None:
    """The active user of an access token whose family still lives, in one query."""
    try:
        key = UUID(identity.subject)
    except ValueError:
        return None
    family = TokenFamily.objects.filter(user=OuterRef("pk"), session=identity.session or "", revoked_at=None)
    found: User | None = User.objects.with_roles().filter(Exists(family), pk=key, is_active=True).first()
    return found


@dataclass(frozen=True)
class Caller:
    """As much of a user as an identity token says."""

    user_id: UUID
    roles: tuple[str, ...]
    session: str


def caller_of_session(session_key: str) -> Caller | None:
    """Who a browser's session belongs to, if it is an active user.

    The gateway asks this for each request, so it is one query without the ORM's share of the time. What PostgreSQL
    says counts, not a cache: a sign-out or a new password holds at once.
    """
    with connection.cursor() as cursor:
        cursor.execute(_CALLER_OF_SESSION, (session_key,))
        row = cursor.fetchone()
    if row is None:
        return None
    user_id, roles, password, session_data = row
    remembered = SessionStore().decode(session_data).get(HASH_SESSION_KEY, "")
    # Django's own check: the session was made with the password the user has now.
    if not constant_time_compare(remembered, User(password=password).get_session_auth_hash()):
        return None
    return Caller(user_id, tuple(roles), short_hash(session_key))


def caller_of_access(identity: Identity) -> Caller | None:
    """Who an access token belongs to, if it is an active user and the token's family still lives."""
    with connection.cursor() as cursor:
        cursor.execute(_CALLER_OF_FAMILY, (identity.session, identity.subject))
        row = cursor.fetchone()
    return Caller(row[0], tuple(row[1]), identity.session or "") if row else None
