"""The dead letters as the operators' page shows them: a bounded look, never an exception."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from ochaq_shared.bus import dead_letters
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.dead_letters import DeadLetter, Group, Selection
from ochaq_shared.bus.delivery import ATTEMPTS_HEADER, DELIVERIES_HEADER
from ochaq_shared.bus.parking import DIED_HEADER, ERROR_HEADER, QUEUE_HEADER

from ochaq_web.config.environment import environment

MOST = 200
MOST_BYTES = 8 * 1024 * 1024
TIMEOUT_SECONDS = 2.0
# Shown in words of their own; the broker's count grows with every look.
TOLD = frozenset({ERROR_HEADER, QUEUE_HEADER, DIED_HEADER, ATTEMPTS_HEADER, DELIVERIES_HEADER})


@dataclass(frozen=True)
class Looked:
    """What was seen: the chosen letters among the oldest `MOST`, how they group, and what filters there are."""

    letters: list[DeadLetter] = field(default_factory=list)
    groups: list[Group] = field(default_factory=list)
    queues: list[str] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    more: bool = False
    error: str = ""

    def letter(self, key: str) -> DeadLetter | None:
        return next((letter for letter in self.letters if letter.key == key), None)


def look(*, queue: str = "", kind: str = "") -> Looked:
    """The oldest letters, filtered."""
    try:
        every = dead_letters.peek(environment().amqp_url, most=MOST, most_bytes=MOST_BYTES, timeout=TIMEOUT_SECONDS)
    except BrokerUnavailable as error:
        return Looked(error=str(error))
    wanted = Selection(queue=queue, type=kind)
    letters = [letter for letter in every if letter in wanted]
    return Looked(
        letters=letters,
        groups=dead_letters.groups(letters),
        queues=sorted({letter.queue for letter in every}),
        types=sorted({letter.type for letter in every if letter.type}),
        more=len(every) >= MOST or sum(letter.size for letter in every) > MOST_BYTES,
    )


def readable(letter: DeadLetter) -> dict[str, Any]:
    """A letter with its body as people can read it."""
    text = letter.body.decode(errors="replace")
    try:
        text = json.dumps(json.loads(letter.body), indent=2, ensure_ascii=False)
    except ValueError:
        text = text.replace("\0", "�")
    headers = {name: str(value) for name, value in sorted(letter.headers.items()) if name not in TOLD}
    return {"letter": letter, "body": text, "headers": headers, "cut": letter.size > len(letter.body)}
