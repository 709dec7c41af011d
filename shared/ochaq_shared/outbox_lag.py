"""How far behind the outbox is, as gauges: what is pending, how old it is, and what holds back a replay."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import structlog
from prometheus_client import Gauge

log = structlog.get_logger(__name__)

COUNTED = 100_000
HELD_SECONDS = 30.0

OLDEST = Gauge("ochaq_outbox_oldest_seconds", "Age of the oldest message that is not yet published", ["service"])
PENDING = Gauge(
    "ochaq_outbox_pending", f"Messages that are not yet published; at most {COUNTED} are counted", ["service"]
)
HORIZON = Gauge(
    "ochaq_outbox_horizon_seconds",
    "How long a writing transaction has kept a replay from reading further than where it began",
    ["service"],
)

# The oldest of each lane is its first row by id, give or take a commit: no need to look at all of a backlog.
_OLDEST = """
SELECT coalesce(extract(epoch FROM clock_timestamp() - min(first.created_at)), 0)::float8
FROM generate_series(0, 2) AS lanes(lane),
     LATERAL (SELECT o.created_at FROM outbox o WHERE o.published_at IS NULL AND o.lane = lanes.lane
              ORDER BY o.id LIMIT 1) AS first
"""
_PENDING = "SELECT count(*) FROM (SELECT 1 FROM outbox WHERE published_at IS NULL LIMIT %s) AS counted"
_HORIZON = "SELECT pg_snapshot_xmin(s)::text, pg_snapshot_xmax(s)::text FROM pg_current_snapshot() AS s"
# Only what every role may see; the transaction may be one of another database.
_HOLDER = """
SELECT pid, application_name, usename, datname FROM pg_stat_activity
WHERE backend_xid IS NOT NULL ORDER BY age(backend_xid) DESC LIMIT 1
"""


class Lag:
    """Measures one service's outbox whenever it is asked to."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._horizon, self._since = "", 0.0
        self._warned = False

    def measure(self, connection: psycopg.Connection[Any]) -> None:
        OLDEST.labels(self._service).set(_number(connection, _OLDEST))
        PENDING.labels(self._service).set(_number(connection, _PENDING, COUNTED))
        held = self._held(connection)
        HORIZON.labels(self._service).set(held)
        if held > HELD_SECONDS and not self._warned:
            holder = connection.execute(_HOLDER).fetchone() or (None,) * 4
            who = dict(zip(("pid", "application", "user", "database"), holder, strict=True))
            log.warning("outbox.horizon_held", seconds=round(held), **who)
        self._warned = held > HELD_SECONDS

    def _held(self, connection: psycopg.Connection[Any]) -> float:
        """Seconds for which the oldest running transaction has been the same one, as seen from here."""
        # Equal: nothing that began later has committed, so nothing is held back even if something runs.
        xmin, xmax = connection.execute(_HORIZON).fetchone() or ("", "")
        if xmin == xmax or xmin != self._horizon:
            self._horizon, self._since = xmin, time.monotonic()
        return time.monotonic() - self._since


def _number(connection: psycopg.Connection[Any], sql: str, *params: Any) -> float:
    row = connection.execute(sql, params or None).fetchone()
    return float(row[0]) if row else 0.0
