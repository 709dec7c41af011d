"""Facts about users and their sessions."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, Lane, fact


@fact("accounts.user.registered", source="/web/accounts")
class UserRegistered(Fact):
    id: str
    email: str


@fact("accounts.session.revoked", source="/web/accounts", lane=Lane.URGENT)
class SessionRevoked(Fact):
    """`session` is the short session hash that identity tokens carry; null means every session of the user."""

    user_id: str
    session: str | None
