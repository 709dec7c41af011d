"""The frame around every page: who is reading, where one can go, in which language."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from ochaq_web import __version__
from ochaq_web.core.policy import Act, allows, roles_of
from ochaq_web.core.standing import Remembered

# label, address, icon, who sees it
PLACES = [
    (_("Recipes"), "/", "recipes", Act.RECIPES_READ),
    (_("Students"), "/students/", "students", Act.STUDENTS_READ),
    (_("Files"), "/files/", "files", Act.FILES_USE),
    (_("Jobs"), "/result/", "jobs", Act.JOBS_USE),
    (_("Ops"), "/ops/", "ops", Act.OPS_SEE),
]

# label, address, who sees it: the rooms behind /ops/
OPS_PLACES = [
    (_("Overview"), "/ops/", Act.OPS_SEE),
    (_("Jobs"), "/ops/jobs/", Act.JOBS_OPERATE),
    (_("Schedules"), "/ops/schedules/", Act.JOBS_OPERATE),
    (_("Dead letters"), "/ops/dead-letters/", Act.OPS_SEE),
    (_("Events"), "/ops/events/", Act.OPS_SEE),
    (_("Lab"), "/ops/lab/", Act.OPS_SEE),
]


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `me`, `nav`, `ops_nav`, `version`, `languages`, `current_language`."""
    return {
        # Lazy: a page that is the same for everybody must not ask who is reading it.
        "me": SimpleLazyObject(lambda: _me(request)),
        "nav": SimpleLazyObject(lambda: _nav(request)),
        "ops_nav": SimpleLazyObject(lambda: _ops_nav(request)),
        "version": __version__,
        "languages": settings.LANGUAGES,
        "current_language": get_language(),
    }


def _me(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return {
            "id": None,
            "name": "",
            "email": "",
            "roles": [],
            "is_staffish": False,
            "can_see_ops": False,
            "can_administer": False,
            "stands_in": False,
        }
    roles = sorted(roles_of(user))
    stands_in = isinstance(user, Remembered)
    return {
        # Whoever is only remembered has no sockets, no jobs and no account to open: all of that asks the database.
        "id": None if stands_in else str(user.pk),
        "name": user.name if stands_in else user.name or user.email,
        "email": "" if stands_in else user.email,
        "roles": roles,
        "is_staffish": allows(user, Act.STUDENTS_READ),
        "can_see_ops": allows(user, Act.OPS_SEE),
        "can_administer": user.is_staff,
        "stands_in": stands_in,
    }


def _nav(request: HttpRequest) -> list[dict[str, Any]]:
    user = getattr(request, "user", None)
    return [
        {"label": label, "url": url, "icon": icon, "current": _is_at(request.path, url)}
        for label, url, icon, act in PLACES
        if allows(user, act)
    ]


def _ops_nav(request: HttpRequest) -> list[dict[str, Any]]:
    user = getattr(request, "user", None)
    return [
        {
            "label": label,
            "url": url,
            "current": request.path == url or (url != "/ops/" and request.path.startswith(url)),
        }
        for label, url, act in OPS_PLACES
        if allows(user, act)
    ]


def _is_at(path: str, url: str) -> bool:
    return path == url or path.startswith("/recipes/") if url == "/" else path.startswith(url)
