"""Who may do what. Every door asks here; what is not listed is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import StrEnum
from functools import wraps
from typing import Any, Protocol

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from ochaq_shared.problems import Problem
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from ochaq_web.core import standing


class Role(StrEnum):
    """The five groups that the accounts migration makes."""

    MANAGER = "manager"
    INSTRUCTOR = "instructor"
    STUDENT = "student"
    CUSTOMER = "customer"
    OPERATOR = "operator"


class Act(StrEnum):
    """Everything that needs somebody's permission."""

    RECIPES_READ = "recipes.read"
    RECIPES_WRITE = "recipes.write"
    STUDENTS_READ = "students.read"
    STUDENTS_WRITE = "students.write"
    STUDENTS_GENERATE = "students.generate"
    STUDENTS_PURGE = "students.purge"
    SEARCH_REBUILD = "search.rebuild"
    JOBS_USE = "jobs.use"
    JOBS_OPERATE = "jobs.operate"
    LAB_RUN = "lab.run"
    FILES_USE = "files.use"
    PROFILE_USE = "profile.use"
    OPS_SEE = "ops.see"
    OPS_ACT = "ops.act"


class Actor(Protocol):
    """What the policy needs to know of somebody: a user, an anonymous visitor or a service."""

    @property
    def is_authenticated(self) -> bool: ...


ANYONE = frozenset({"anyone"})
SIGNED_IN = frozenset({"signed in"})
STAFF = frozenset({Role.INSTRUCTOR, Role.MANAGER})

RULES: dict[Act, frozenset[Any]] = {
    Act.RECIPES_READ: ANYONE,
    Act.RECIPES_WRITE: STAFF,
    Act.STUDENTS_READ: STAFF,
    Act.STUDENTS_WRITE: frozenset({Role.MANAGER}),
    Act.STUDENTS_GENERATE: frozenset({Role.MANAGER}),
    Act.STUDENTS_PURGE: frozenset({Role.MANAGER}),
    Act.SEARCH_REBUILD: frozenset({Role.MANAGER, Role.OPERATOR}),
    Act.JOBS_USE: SIGNED_IN,
    Act.JOBS_OPERATE: frozenset({Role.OPERATOR}),
    Act.LAB_RUN: frozenset({Role.MANAGER, Role.OPERATOR}),
    Act.FILES_USE: SIGNED_IN,
    Act.PROFILE_USE: SIGNED_IN,
    Act.OPS_SEE: frozenset({Role.MANAGER, Role.OPERATOR}),
    Act.OPS_ACT: frozenset({Role.MANAGER, Role.OPERATOR}),
}


def roles_of(actor: Actor | None) -> frozenset[str]:
    """The names of an actor's roles; nobody and services have none."""
    return frozenset(getattr(actor, "role_names", ()))


def allows(actor: Actor | None, act: Act) -> bool:
    """Whether `actor` may do `act`. Services never may: they have `/internal/v1/`."""
    allowed = RULES.get(act, frozenset())
    if allowed is ANYONE:
        return True
    if actor is None or not actor.is_authenticated or getattr(actor, "is_service", False):
        return False
    return allowed is SIGNED_IN or not allowed.isdisjoint(roles_of(actor))


def require(actor: Actor | None, act: Act) -> None:
    """Raise `auth.required` or `auth.forbidden` unless `actor` may do `act`."""
    if allows(actor, act):
        return
    if actor is None or not actor.is_authenticated:
        raise Problem("auth.required")
    raise Problem("auth.forbidden")


class Nobody(BasePermission):
    """The default of every API view: a view that does not say who may use it is closed."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return False


class ServicesOnly(BasePermission):
    """Internal views answer other services, and 403 to users."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return bool(getattr(request.user, "is_service", False))


def permission(*, read: Act, write: Act | None = None) -> type[BasePermission]:
    """A DRF permission: `read` guards the safe methods, `write` (default: the same) all others."""
    unsafe = write or read

    class Allowed(BasePermission):
        def has_permission(self, request: Request, view: Any) -> bool:
            require(request.user, read if request.method in SAFE_METHODS else unsafe)
            return True

    return Allowed


View = Callable[..., HttpResponse]


def page(act: Act) -> Callable[[View], View]:
    """Guard a page: visitors are sent to sign in and come back, users without the role see the 403 page."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            began = time.time()
            if not allows(request.user, act) and not request.user.is_authenticated:
                return redirect_to_login(request.get_full_path())
            require(request.user, act)
            _remember(request, began)
            return view(request, *args, **kwargs)

        return guarded

    return decorate


def _remember(request: HttpRequest, began: float) -> None:
    """Whoever may see the operators' page may see it for a while without PostgreSQL too."""
    user: Any = request.user
    if allows(user, Act.OPS_SEE):
        name = user.name or user.handle or ""
        standing.remember(request.session.session_key, user_id=user.pk, name=name, roles=roles_of(user), began=began)
