"""Door: what ops does when others tell it something."""

from __future__ import annotations

from ochaq_shared.events import CloudEvent
from ochaq_shared.events.search import IndexRebuilt

from ochaq_web.ops.services import index_rebuilt


def on_index_rebuilt(event: CloudEvent, fact: IndexRebuilt) -> None:
    index_rebuilt(index=fact.index, documents=fact.documents, seconds=fact.seconds, job_id=fact.job_id, time=event.time)
