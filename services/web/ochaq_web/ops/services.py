"""What ops remembers."""

from __future__ import annotations

from datetime import datetime

from ochaq_web.ops.models import IndexState


def index_rebuilt(*, index: str, documents: int, seconds: float, job_id: str | None, time: str) -> None:
    """Keep the newest rebuild of each index; a late, older one changes nothing."""
    rebuilt_at = datetime.fromisoformat(time)
    if IndexState.objects.filter(index=index, rebuilt_at__gt=rebuilt_at).exists():
        return
    values = {"documents": documents, "seconds": seconds, "job_id": job_id, "rebuilt_at": rebuilt_at}
    IndexState.objects.update_or_create(index=index, defaults=values)
