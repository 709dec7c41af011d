"""Which event belongs into which live stream."""

from __future__ import annotations

from collections.abc import Iterable

from ochaq_shared import live
from ochaq_shared.events import CloudEvent, Fact
from ochaq_shared.events.accounts import SessionRevoked
from ochaq_shared.events.files import FileChanged, FileCompleted, FileFailed, FileRemoved, FileUploaded
from ochaq_shared.events.jobs import JobChanged
from ochaq_shared.events.students import StudentsBatchCreated, StudentsBatchRemoved

Placed = tuple[str, live.LiveEvent]


def placed(event: CloudEvent) -> list[Placed]:
    """The stream an event goes to, as a list of none or one; raises `UnknownEvent` for one that is not ours."""
    fact = event.fact()
    stream = _stream(fact, event.name)
    if stream is None:
        return []
    # Every batch of students counts; of anything else only the newest state does.
    version = 0 if isinstance(fact, StudentsBatchCreated | StudentsBatchRemoved) else event.version
    return [(stream, live.LiveEvent(event.id, event.name, event.time, event.data, version))]


def revocations(events: Iterable[CloudEvent]) -> list[SessionRevoked]:
    facts = (event.fact() for event in events)
    return [fact for fact in facts if isinstance(fact, SessionRevoked)]


def _stream(fact: Fact, name: str) -> str | None:
    if isinstance(fact, JobChanged | FileUploaded | FileCompleted | FileFailed | FileChanged | FileRemoved):
        return live.personal(fact.owner) if fact.owner else None
    return live.STUDENTS if name.startswith("students.") else None
