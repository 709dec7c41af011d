"""Whether anything is still on its way."""

from __future__ import annotations

from contextlib import closing

from ochaq_shared.bus import topology
from ochaq_shared.outbox import EVENTS_EXCHANGE
from ochaq_shared.receipts import Receipts
from ochaq_shared.reconcile import pattern

from rig.databases import Databases

_UNSENT = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
_LIVE = "SELECT count(*) FROM job WHERE status IN ('queued', 'running')"
_UNPROCESSED = "SELECT count(*) FROM file WHERE status IN ('pending', 'processing')"


def pending(databases: Databases) -> list[str]:
    """What has not arrived, as sentences; empty when all has."""
    found = {
        "in web's outbox": databases.number("web", _UNSENT),
        "in files' outbox": databases.number("files", _UNSENT),
        "live jobs": databases.number("web", _LIVE),
        "unprocessed files": databases.number("files", _UNPROCESSED),
    }
    return [f"{many} {what}" for what, many in found.items() if many]


_UNSENT_BEFORE = """
SELECT count(*) FROM outbox WHERE published_at IS NULL AND created_at < to_timestamp(%s)
"""
_UNHANDLED_BEFORE = """
SELECT count(*) FROM outbox o LEFT JOIN inbox i ON i.event_id = o.event_id AND i.consumer = 'web'
WHERE o.type LIKE 'ochaq.cookbook.recipe.%%' AND o.created_at BETWEEN to_timestamp(%s) - interval '10 minutes'
  AND to_timestamp(%s) AND i.done_at IS NULL
"""
_UNPROCESSED_BEFORE = """
SELECT count(*) FROM file WHERE status IN ('pending', 'processing') AND created_at < to_timestamp(%s)
"""


def handled_before(databases: Databases, moment: float) -> bool:
    """Whether everything told before that moment (seconds since 1970) was sent, and handled by the consumers in SQL."""
    return (
        databases.number("web", _UNSENT_BEFORE, (moment,)) == 0
        and databases.number("files", _UNSENT_BEFORE, (moment,)) == 0
        and databases.number("web", _UNHANDLED_BEFORE, (moment, moment)) == 0
        and databases.number("files", _UNPROCESSED_BEFORE, (moment,)) == 0
    )


_PUBLISHED_BEFORE = """
SELECT event_id::text FROM outbox
WHERE published_at BETWEEN to_timestamp(%s) - interval '2 minutes' AND to_timestamp(%s)
  AND exchange = %s AND '.' || routing_key ~ %s
"""


def without_receipt(databases: Databases, redis_url: str, moment: float) -> int:
    """How many events that left an outbox in the two minutes before that moment have not been handled by some queue."""
    queues = [queue for queue in topology.QUEUES if queue.exchange == EVENTS_EXCHANGE]
    with closing(Receipts(redis_url)) as receipts:
        return sum(
            len(receipts.missing(queue.name, [row[0] for row in ask(_PUBLISHED_BEFORE, values)]))
            for queue in queues
            for values in [(moment, moment, EVENTS_EXCHANGE, pattern(queue.bindings))]
            for ask in (databases.web, databases.files)
        )
