"""Facts about users and their sessions."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, Lane, fact


@fact("accounts.user.registered", source="/web/accounts")
class UserRegistered(Fact):
    """Somebody got an account."""

    id: str
    email: str


@fact("accounts.session.revoked", source="/web/accounts", lane=Lane.URGENT)
class SessionRevoked(Fact):
    """A sign-in is over, and its sockets must close.

    `session` is the short session hash that identity tokens carry; null means every session of the user.
    """

    user_id: str
    session: str | None
