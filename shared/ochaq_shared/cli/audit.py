"""What an operator does with this command is told to the house before it is done, and again when it is over."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.ops import ActionTaken
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import EVENTS_EXCHANGE


@dataclass
class Told:
    """What became of the deed, for the one who does it to fill in: a short sentence."""

    outcome: str = "done"


@contextmanager
def audited(amqp_url: str, action: str, *, targets: Sequence[str], reason: str) -> Iterator[Told]:
    """Tell `ops.action.taken` as requested, run the block, tell it as done, or as failed when the block raises.

    Ends the command with a sentence when the request cannot be told: what nobody would know of is not done.
    """
    publisher = Publisher(amqp_url)
    asked = ActionTaken(
        id=uuid7(),
        action=action,
        actor=getpass.getuser(),
        via="cli",
        reason=reason,
        targets=list(targets),
        status="requested",
        outcome="",
    )
    told = Told()
    try:
        try:
            _tell(publisher, asked, version=1)
        except BrokerUnavailable as error:
            sys.exit(f"ochaq: nothing was done, because it could not be written down first: {error}")
        try:
            yield told
        except BaseException as error:
            failed = f"{type(error).__name__}: {error}"[:500]
            _tell_end(publisher, asked.model_copy(update={"status": "failed", "outcome": failed}))
            raise
        _tell_end(publisher, asked.model_copy(update={"status": "done", "outcome": told.outcome}))
    finally:
        publisher.close()


def _tell(publisher: Publisher, fact: ActionTaken, *, version: int) -> None:
    event = CloudEvent.of(fact, subject=fact.id, version=version)
    message = Message(event.id, EVENTS_EXCHANGE, event.type, event.encode(), {}, event.type)
    (verdict,) = publisher.publish([message])
    if verdict is not None:
        raise BrokerUnavailable(verdict)


def _tell_end(publisher: Publisher, fact: ActionTaken) -> None:
    """The deed is done either way: that its end could not be written down is said, and fails nothing."""
    try:
        _tell(publisher, fact, version=2)
    except BrokerUnavailable as error:
        print(f"ochaq: {fact.outcome}, but that could not be written down: {error}", file=sys.stderr)
