"""What on the operators' page wants somebody to do something, and what: from looks that were taken elsewhere."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from ochaq_shared.bus import topology

from ochaq_web.ops import broker
from ochaq_web.ops.database import Finding

# Three looks missed in a row, and no more than half a minute from an alarm to this page.
LOOK_SECONDS = 3 * broker.EVERY_SECONDS
SLOW_OUTBOX_SECONDS = 5
STUCK_OUTBOX_SECONDS = 30
OLD_LETTER_SECONDS = 300


@dataclass(frozen=True)
class Alarm:
    """One sentence for an operator. `level` is warning or error; `url` leads to where it can be mended."""

    level: str
    text: str
    url: str = ""


def alarms(
    *,
    processes: Iterable[dict[str, Any]],
    queues: Any,
    outboxes: Iterable[dict[str, Any]],
    seen: dict[str, Any] | None,
    database: Finding | None = None,
) -> list[Alarm]:
    """Everything that is wrong, the worst first."""
    found = [*_database(database), *_broker(processes, seen), *_outboxes(outboxes), *_letters(queues, seen)]
    return sorted(found, key=lambda alarm: alarm.level)


def alarms_without_database(*, processes: Iterable[dict[str, Any]], queues: Any) -> list[Alarm]:
    """What is wrong besides the database, as far as it can be known without it."""
    return [*_blocked(processes, None), *_letters(queues, None)]


def _database(found: Finding | None) -> Iterable[Alarm]:
    """Whoever holds a connection goes on, so a full PostgreSQL may well show this page."""
    if found is not None and not found.ok:
        yield Alarm("error", f"{found.headline} {found.advice}")


def _broker(processes: Iterable[dict[str, Any]], seen: dict[str, Any] | None) -> Iterable[Alarm]:
    seen = seen if seen is not None and seen["seconds_ago"] <= LOOK_SECONDS else None
    blocked = list(_blocked(processes, seen))
    yield from blocked
    if not blocked and seen is None:
        yield Alarm(
            "warning", _("Nobody has looked at RabbitMQ in the last half minute: look whether web-consume runs.")
        )


def _blocked(processes: Iterable[dict[str, Any]], seen: dict[str, Any] | None) -> Iterable[Alarm]:
    told = any("PublishingBlocked" in (row.get("detail") or "") for row in processes)
    if told or (seen is not None and seen["publishing"] == "blocked"):
        yield Alarm(
            "error",
            _(
                "RabbitMQ takes no messages: its memory or disk alarm is on. Free space on its machine. Nothing is"
                " lost; everything waits in the outbox and goes on by itself."
            ),
        )


def _outboxes(outboxes: Iterable[dict[str, Any]]) -> Iterable[Alarm]:
    for row in outboxes:
        oldest = row.get("oldest_seconds") or 0
        if oldest > SLOW_OUTBOX_SECONDS:
            level = "error" if oldest > STUCK_OUTBOX_SECONDS else "warning"
            text = _("The relay of %(service)s is behind: look whether it runs and RabbitMQ takes messages.")
            yield Alarm(level, text % {"service": row["service"]})


def _letters(queues: Any, seen: dict[str, Any] | None) -> Iterable[Alarm]:
    waiting = {row["name"]: row["ready"] or 0 for row in queues} if isinstance(queues, list) else {}
    dead = waiting.get(topology.DEAD_QUEUE, 0)
    if dead:
        old = seen is not None and (seen["oldest_dead_seconds"] or 0) > OLD_LETTER_SECONDS
        text = ngettext("%(n)d dead letter wants a decision.", "%(n)d dead letters want a decision.", dead)
        yield Alarm("error" if old else "warning", text % {"n": dead}, "/ops/dead-letters/")
    unrouted = waiting.get(topology.UNROUTED_QUEUE, 0)
    if unrouted:
        text = ngettext(
            "%(n)d message found no queue: some binding is missing.",
            "%(n)d messages found no queue: some binding is missing.",
            unrouted,
        )
        yield Alarm("warning", text % {"n": unrouted})
