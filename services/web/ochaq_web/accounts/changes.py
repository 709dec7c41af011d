"""Whoever changes is asked of PostgreSQL again: what was remembered of him holds no more (`core.standing`).

By the ORM's signals, because the administration changes users, their roles and their passwords without a service.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db import transaction
from django.db.models.signals import m2m_changed, post_delete, post_save

from ochaq_web.accounts.models import User
from ochaq_web.core import standing

HARMLESS = frozenset({"last_login", "language"})
"""A sign-in elsewhere and another language change nothing about who somebody is."""


def watch() -> None:
    """Called once, when Django starts."""
    post_save.connect(_changed, sender=User, dispatch_uid="standing-saved")
    post_delete.connect(_changed, sender=User, dispatch_uid="standing-deleted")
    m2m_changed.connect(_roles_changed, sender=User.groups.through, dispatch_uid="standing-roles")


def _changed(instance: User, update_fields: frozenset[str] | None = None, **more: Any) -> None:
    if update_fields is None or not update_fields <= HARMLESS:
        _forget(instance.pk)


def _roles_changed(instance: Any, action: str, pk_set: set[Any] | None, **more: Any) -> None:
    if isinstance(instance, User):
        _forget(instance.pk)
    elif action != "post_clear":  # `group.user_set`: a set of users; before a clear, all there are
        for key in pk_set if pk_set is not None else instance.user_set.values_list("pk", flat=True):
            _forget(key)


def _forget(user_id: Any) -> None:
    # Both: a process may die after the commit, and a page that began before it may be remembered after the first.
    standing.forget_user(user_id)
    transaction.on_commit(partial(standing.forget_user, user_id), robust=True)
