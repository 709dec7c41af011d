"""Reading what ops remembers."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from ochaq_web.ops.models import BrokerLook, IndexState, OpsAction


def indexes() -> list[dict[str, Any]]:
    """The last rebuild of each index."""
    return [
        {"name": row.index, "documents": row.documents, "seconds": row.seconds, "rebuilt_at": row.rebuilt_at}
        for row in IndexState.objects.all()
    ]


def actions_recent(limit: int = 50) -> list[OpsAction]:
    """What operators did by hand, the newest first."""
    return list(OpsAction.objects.all()[:limit])


def broker_seen() -> dict[str, Any] | None:
    """What `consume` last saw of the broker, and how many seconds ago; None when it never looked."""
    row = BrokerLook.objects.first()
    if row is None:
        return None
    now = timezone.now()
    return {
        "publishing": row.publishing,
        "seconds_ago": (now - row.at).total_seconds(),
        "dead": row.dead,
        "oldest_dead_seconds": (now - row.oldest_dead_at).total_seconds() if row.oldest_dead_at else None,
    }
