"""Facts about chat."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, Lane, fact


@fact("chat.message.posted", source="/web/chat", lane=Lane.URGENT, planned=True)
class MessagePosted(Fact):
    """Somebody said something in a room."""

    id: str
    room: str
    author: str
    text: str
