"""Who is signing in, by e-mail address or handle."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib.auth.backends import ModelBackend
from django.http import HttpRequest

from ochaq_web.accounts.models import User
from ochaq_web.core.policy import Role

# What the roles open in the administration, by app; superusers open everything.
ADMINISTRATION = {
    Role.MANAGER: {"view", "add", "change", "delete"},
    Role.OPERATOR: {"view"},
}


class EmailOrHandle(ModelBackend):
    """Accepts either name. An unknown name costs the same hash as a wrong password, so time tells nothing."""

    def authenticate(
        self, request: HttpRequest | None, username: str | None = None, password: str | None = None, **kwargs: Any
    ) -> User | None:
        login = username if username is not None else kwargs.get("email")
        if not login or password is None or "\x00" in login or "\x00" in password:
            return None
        user = User.objects.with_roles().called(login).first()
        if user is None:
            User().set_password(password)
            return None
        return user if user.check_password(password) and self.user_can_authenticate(user) else None

    def get_user(self, user_id: Any) -> User | None:
        """Called for each request of a session: one query for the user and its roles; None once it is not active."""
        try:
            key = user_id if isinstance(user_id, UUID) else UUID(str(user_id))
        except ValueError:
            return None
        found: User | None = User.objects.with_roles().filter(pk=key, is_active=True).first()
        return found

    def has_perm(self, user_obj: Any, perm: str, obj: Any = None) -> bool:
        if not user_obj.is_active:
            return False
        if user_obj.is_superuser:
            return True
        return user_obj.is_staff and perm.partition(".")[2].partition("_")[0] in _verbs(user_obj)

    def has_module_perms(self, user_obj: Any, app_label: str) -> bool:
        return user_obj.is_active and (user_obj.is_superuser or (user_obj.is_staff and bool(_verbs(user_obj))))


def _verbs(user: Any) -> set[str]:
    verbs: set[str] = set()
    for role, allowed in ADMINISTRATION.items():
        if role in user.role_names:
            verbs |= allowed
    return verbs
