"""Commands of queued jobs: sent when their time comes, and sent again when they were lost.

A second command for the same job is harmless, it dies at the claim; a flood of them is not. So a command is sent again
only where it can no longer be on its way: the relay has published it, and either its queue is empty, or a job that was
sent well after it to the same queue is running already. While the broker does not answer, nothing is sent again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import connection, transaction
from ochaq_shared.events.base import Lane

from ochaq_web.jobs import broker
from ochaq_web.jobs.announce import dispatch
from ochaq_web.jobs.kinds import KINDS
from ochaq_web.jobs.transitions import COLUMNS, rows

DUE_BATCH = 500
LOST_BATCH = 100
# Below fifteen seconds, which no job whose command was lost may be stuck for (quality.md, J1).
LOST_SECONDS = 10
# After a lost lease the first command may go to the very worker that froze, so the second follows sooner.
LOST_AFTER_LEASE_SECONDS = 3
# A transaction that sends a command is shorter than this.
RELAYED_SECONDS = 5
# Two relays and several consumers may change the order of commands by this much.
OVERTAKEN_SECONDS = 15
# A queue of which nothing runs and which never gets empty; by now a second command cannot hurt.
PATIENCE_SECONDS = 3600

_CLAIMABLE = """
status = 'queued' AND run_after <= clock_timestamp() AND pending_children = 0
  AND (exclusive = '' OR NOT EXISTS (
    SELECT FROM job AS other WHERE other.exclusive = job.exclusive AND other.id <> job.id
      AND (other.status = 'running' OR other.status = 'queued' AND other.id < job.id)))
"""

# The oldest message that waits for the relay: what was sent well before it has left. Parked messages prove nothing.
_RELAYED = f"""
coalesce((SELECT created_at FROM outbox WHERE published_at IS NULL AND next_at IS NULL AND lane = {int(Lane.URGENT)}
  ORDER BY id LIMIT 1) - interval '{RELAYED_SECONDS} s', 'infinity')
"""  # noqa: S608 - only constants of this module, here and below
_OVERDUE = f"""
queue = {{queue}} AND {_CLAIMABLE} AND dispatched_at < {_RELAYED} AND dispatched_at < now() - interval '1 s' *
  CASE WHEN lost_leases > 0 THEN {LOST_AFTER_LEASE_SECONDS} * least(dispatches, 3) ELSE {LOST_SECONDS} END
"""


def _send(which: str) -> str:
    return f"""
WITH changed AS (
  UPDATE job SET dispatched_at = now(), dispatches = dispatches + 1 WHERE id IN ({which})
  RETURNING *)
SELECT {COLUMNS} FROM changed ORDER BY id
"""  # noqa: S608 - only constants of this module


_DUE = _send(  # only constants of this module, here and below
    f"SELECT id FROM job WHERE queue = ANY(%(queues)s) AND {_CLAIMABLE} AND dispatched_at IS NULL"  # noqa: S608
    f" ORDER BY run_after LIMIT {DUE_BATCH} FOR NO KEY UPDATE SKIP LOCKED"
)

# Each queue with such a job, and when the youngest command that a running job of that queue came from was sent.
_LATE_QUEUES = f"""
SELECT name, (SELECT max(dispatched_at) FROM job WHERE status = 'running' AND queue = name)
FROM unnest(%s::text[]) AS name WHERE EXISTS (SELECT FROM job WHERE {_OVERDUE.format(queue="name")})
"""  # noqa: S608

_LOST = _send(
    f"SELECT id FROM job WHERE {_OVERDUE.format(queue='%(queue)s')}"  # noqa: S608
    f" AND (%(empty)s OR dispatched_at < greatest(%(overtaken)s::timestamptz - interval '{OVERTAKEN_SECONDS} s',"
    f" now() - interval '{PATIENCE_SECONDS} s'))"
    f" ORDER BY dispatched_at LIMIT {LOST_BATCH} FOR NO KEY UPDATE SKIP LOCKED"
)


def send_due() -> int:
    """Send what was not sent yet: a later try, a parent whose children are over, a turn that came."""
    return _send_all(_DUE, {"queues": _queues()})


def send_lost_again() -> int:
    """Send lost commands again; the broker is asked only where there might be some."""
    with connection.cursor() as cursor:
        cursor.execute(_LATE_QUEUES, (_queues(),))
        late = dict(cursor.fetchall())
    waiting = broker.depths(late) if late else {}
    return sum(
        _send_all(_LOST, {"queue": queue, "empty": not waiting[queue], "overtaken": late[queue]}) for queue in waiting
    )


def _send_all(sql: str, values: Mapping[str, Any]) -> int:
    with transaction.atomic():
        found = rows(sql, values)
        for job in found:
            dispatch(job)
    return len(found)


def _queues() -> list[str]:
    return sorted({kind.queue for kind in KINDS.values()})
