"""Reading what ops remembers."""

from __future__ import annotations

from typing import Any

from ochaq_web.ops.models import IndexState


def indexes() -> list[dict[str, Any]]:
    """The last rebuild of each index."""
    return [
        {"name": row.index, "documents": row.documents, "seconds": row.seconds, "rebuilt_at": row.rebuilt_at}
        for row in IndexState.objects.all()
    ]
