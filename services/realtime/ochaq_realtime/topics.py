"""What can be subscribed to, and by whom. A topic is a client's name for (a part of) a stream."""

from __future__ import annotations

from dataclasses import dataclass

from ochaq_shared import live
from ochaq_shared.identity import Identity
from ochaq_shared.problems import Problem

from ochaq_realtime.problems import CHAT_UNAVAILABLE, UNKNOWN_TOPIC

STAFF = ("instructor", "manager")


@dataclass(frozen=True, slots=True)
class Topic:
    """`events` is the prefix of the event names that belong to the topic; an empty one takes all of the stream."""

    name: str
    stream: str
    events: str = ""

    def takes(self, body: bytes) -> bool:
        return not self.events or body.startswith(b'{"name":"' + self.events.encode())


def topic_for(name: str, identity: Identity) -> Topic:
    """The topic of this name as seen by this person; raises `Problem` when it is unknown or not theirs."""
    if name == "user":
        return Topic(name, live.personal(identity.subject))
    if name == "tasks":
        return Topic(name, live.personal(identity.subject), events="jobs.job.")
    if name == "students":
        if not identity.has_role(*STAFF):
            raise Problem("auth.forbidden", "Only instructors and managers follow the students.")
        return Topic(name, live.STUDENTS)
    if name.startswith(("room:", "presence:")):
        raise Problem(CHAT_UNAVAILABLE)
    raise Problem(UNKNOWN_TOPIC, "Topics are user, tasks and students.")
