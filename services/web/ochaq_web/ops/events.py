"""Door: what ops does when others tell it something."""

from __future__ import annotations

from ochaq_shared.events import CloudEvent
from ochaq_shared.events.ops import ActionTaken
from ochaq_shared.events.search import IndexRebuilt

from ochaq_web.ops.actions import action_heard
from ochaq_web.ops.services import index_rebuilt


def on_index_rebuilt(event: CloudEvent, fact: IndexRebuilt) -> None:
    index_rebuilt(index=fact.index, documents=fact.documents, seconds=fact.seconds, job_id=fact.job_id, time=event.time)


def on_action_taken(event: CloudEvent, fact: ActionTaken) -> None:
    action_heard(fact, time=event.time, trace=event.requestid)
