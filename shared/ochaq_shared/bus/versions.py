"""Handlers whose effect depends on the order of a subject's events.

The outbox, the relay and a single active consumer keep that order, but a retry, a replayed dead letter or an event sent
again comes late. `Ordered` makes such a handler see each subject's versions only forwards: an event that is not newer
than what took effect is dropped, the next one is handled, and one that comes too early waits in the retry ladder for
those before it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ochaq_shared.database import execute
from ochaq_shared.events.base import CloudEvent

# Inserting first makes two consumers that meet a new subject at once wait for each other.
_HAVE = """
INSERT INTO projection_version AS p (consumer, subject, version) VALUES (%s, %s, 0)
ON CONFLICT (consumer, subject) DO UPDATE SET version = p.version
RETURNING version
"""
_TAKEN = "UPDATE projection_version SET version = %s WHERE consumer = %s AND subject = %s"


class VersionGap(Exception):
    """An earlier event of the same subject has not come yet."""


@dataclass(frozen=True)
class Ordered:
    """A handler for `InboxProcessor` that wants the events of each subject in the order of their versions.

    With `whole`, an event tells all there is to know of its subject, so that on its last try it is handled although
    its predecessors are missing, and they are dropped should they come. Without it, it ends as a dead letter.
    """

    handle: Callable[[CloudEvent, Any], None]
    whole: bool

    def __call__(self, event: CloudEvent, what: Any) -> None:
        self.handle(event, what)

    def in_turn(self, connection: Any, consumer: str, event: CloudEvent, what: Any, *, last_try: bool) -> None:
        """Handle or drop an event, in the caller's transaction; raises `VersionGap` when it has to wait."""
        have = execute(connection, _HAVE, (consumer, event.subject)).fetchone()[0]
        if event.version <= have:
            return
        if event.version > have + 1 and not (self.whole and last_try):
            raise VersionGap(f"{event.subject} is at version {have}, this is {event.version}")
        self.handle(event, what)
        execute(connection, _TAKEN, (event.version, consumer, event.subject))
