"""The demo school's people: one user per role, all with the password that `make up` prints."""

from __future__ import annotations

from django.db import transaction

from ochaq_web.accounts.models import User
from ochaq_web.accounts.services import user_register
from ochaq_web.core.policy import Role

DOMAIN = "ochaq.localhost"
NAMES = {
    Role.MANAGER: "Madina Yusupova",
    Role.INSTRUCTOR: "Emre Yıldız",
    Role.STUDENT: "Sofia Rossi",
    Role.CUSTOMER: "Jonas Weber",
    Role.OPERATOR: "Olga Ivanova",
}
MAY_ADMINISTER = {Role.MANAGER, Role.OPERATOR}


@transaction.atomic
def seed(password: str) -> None:
    """Make the missing demo users; the password of those that exist is set to `password`, which is the one printed."""
    for role in Role:
        email = f"{role}@{DOMAIN}"
        user = User.objects.called(email).first()
        if user is None:
            user_register(
                email=email,
                password=password,
                roles=[role],
                handle=str(role),
                name=NAMES[role],
                is_staff=role in MAY_ADMINISTER,
            )
        elif not user.check_password(password):
            user.set_password(password)
            user.save(update_fields=["password"])
