"""The operators' page while PostgreSQL takes no connections: what can be seen without it, for who was known before.

Session, user and roles are in PostgreSQL, so nobody can be asked who he is. `core.standing` remembers operators for
some minutes; whoever it does not remember gets the same 503 as everywhere.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import structlog
from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from ochaq_web.core import standing
from ochaq_web.core.policy import Act, allows
from ochaq_web.ops import database, probes
from ochaq_web.ops.alarms import alarms_without_database

log = structlog.get_logger(__name__)

AGAIN_SECONDS = 5
AGAIN_SOON_SECONDS = 1

View = Callable[[HttpRequest], HttpResponse]


def stands_in(act: Act) -> Callable[[View], View]:
    """Where the database fails a page that `act` guards, show operators what is left of it."""

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest) -> HttpResponse:
            try:
                return view(request)
            except (OperationalError, InterfaceError) as error:
                known = standing.recall(request.COOKIES.get(settings.SESSION_COOKIE_NAME))
                if known is None or not allows(known, act):
                    raise
                log.warning("ops.stands_in", error=type(error).__name__, user=known.user_id)
                return _page(request, known)

        return guarded

    return decorate


def _page(request: HttpRequest, known: standing.Remembered) -> HttpResponse:
    looks = (probes.processes, probes.queues, probes.caches, database.look)
    services, queues, caches, found = probes.together(*looks)
    # Nothing behind this line may ask the session or the user: both would ask the database.
    request.user = known  # type: ignore[assignment]
    context = {
        "outage": found,
        "again": AGAIN_SOON_SECONDS if found.ok else AGAIN_SECONDS,
        "alarms": alarms_without_database(processes=services, queues=queues),
        "servers": _servers(found, queues, caches),
        # What does not work first: there will be much of it.
        "services": sorted((_process(row, found) for row in services), key=lambda row: bool(row["ready"])),
        "queues": queues,
        "caches": caches,
        "messages": (),
    }
    return render(request, "ops/outage.html", context)


def _process(row: dict[str, Any], found: database.Finding) -> dict[str, Any]:
    """A server counts as ready when its port is open; of this one more is known."""
    if found.ok or row["name"] != "postgres":
        return row
    return {**row, "ready": False, "detail": row["detail"] or found.words}


def _servers(found: database.Finding, queues: Any, caches: dict[str, Any]) -> list[dict[str, Any]]:
    broker = queues.get("error", "") if isinstance(queues, dict) else ""
    return [
        {"name": "PostgreSQL", "ready": found.ok, "detail": found.words},
        {"name": "RabbitMQ", "ready": not broker, "detail": broker},
        {"name": "Redis", "ready": not caches.get("error"), "detail": caches.get("error", "")},
    ]
