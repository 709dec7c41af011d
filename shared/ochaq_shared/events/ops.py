"""Facts about what operators do by hand."""

from __future__ import annotations

from typing import Literal

from ochaq_shared.events.base import Fact, fact


@fact("ops.action.taken", source="/ops")
class ActionTaken(Fact):
    """Somebody did something by hand: told as `requested` before it is done, and as `done` or `failed` after."""

    id: str
    action: str
    actor: str
    via: Literal["cli", "page"]
    reason: str
    targets: list[str]
    status: Literal["requested", "done", "failed"]
    outcome: str
