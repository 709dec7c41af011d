"""What the operators' pages count. Every query is bounded by an index and by a number of rows, so that a page costs the
same over a thousand jobs and over ten million; where a number rests on a sample, the sample's size comes with it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import connection
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from ochaq_web.jobs.models import Job
from ochaq_web.jobs.services import LEASE_SECONDS

SAMPLE = 5_000  # the newest ended jobs that percentiles are taken of
FAILURES = 5_000  # the newest failed jobs that are grouped by their error
CLAIMS = 5_000  # the newest lines of the timeline in which workers are looked for
GROUPS = 20
SETTLED_SECONDS = 60  # a transaction that began in a bucket of time may still commit this much later
KEPT_SECONDS = 6 * 3600


@dataclass(frozen=True)
class Period:
    """A stretch of time up to now; `bucket` is the width of one bar of its chart, and `counted` of what is counted for
    it at once and kept. All in seconds; each a multiple of the next."""

    name: str
    label: str | Promise
    seconds: int
    bucket: int
    counted: int = 3600

    @property
    def start(self) -> datetime:
        return datetime.now(UTC) - timedelta(seconds=self.seconds)


PERIODS: Mapping[str, Period] = {
    period.name: period
    for period in (
        Period("hour", _("Last hour"), 3600, 300, 300),
        Period("day", _("Last day"), 86_400, 3600),
        Period("week", _("Last 7 days"), 7 * 86_400, 6 * 3600),
        Period("month", _("Last 30 days"), 30 * 86_400, 86_400),
    )
}


def first_id(moment: datetime) -> uuid.UUID:
    """The smallest UUIDv7 (RFC 9562) of this millisecond: `id >= first_id(x)` means "made since x", by any index that
    ends with the id."""
    return uuid.UUID(int=int(moment.timestamp() * 1000) << 80)


_LIVE = """
SELECT status, count(*), (SELECT count(*) FROM job WHERE status = 'running' AND cancel_requested_at IS NOT NULL)
FROM job WHERE status IN ('queued', 'running') GROUP BY status
"""
_OLDEST = """
SELECT extract(epoch FROM clock_timestamp() - run_after)::float8 FROM job
WHERE status = 'queued' AND run_after <= clock_timestamp() AND pending_children = 0 ORDER BY run_after LIMIT 1
"""


def jobs_now() -> dict[str, Any]:
    """How many jobs wait, run and are being stopped, and the age in seconds of the oldest that could run (0.0: none).

    Served by the partial index `job_live`, which holds nothing but the jobs that are not over.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LIVE)
        rows = cursor.fetchall()
        cursor.execute(_OLDEST)
        oldest = cursor.fetchone()
    counts = {status: count for status, count, _stopping in rows}
    return {
        "queued": counts.get("queued", 0),
        "running": counts.get("running", 0),
        "stopping": rows[0][2] if rows else 0,
        "oldest_seconds": max(0.0, oldest[0]) if oldest else 0.0,
    }


# A run is measured from the last claim: a job that somebody runs again a day later did not run for a day.
_LATENCY = """
SELECT kind, count(*), count(*) FILTER (WHERE status = 'failed'),
  percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM started_at - created_at)::float8),
  percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY extract(epoch FROM finished_at - claimed_at)::float8)
    FILTER (WHERE status <> 'cancelled')
FROM (SELECT kind, status, created_at, started_at, claimed_at, finished_at FROM job
      WHERE finished_at >= %(start)s ORDER BY finished_at DESC LIMIT %(sample)s) AS ended
GROUP BY kind ORDER BY count(*) DESC, kind
"""


def latencies(period: Period) -> list[dict[str, Any]]:
    """Per kind: jobs ended and failed in the sample, and the median and 95th percentile of waiting and running, in
    seconds (None where nothing was measured). Served by `job_finished`, its newest end first."""
    with connection.cursor() as cursor:
        cursor.execute(_LATENCY, {"start": period.start, "sample": SAMPLE})
        rows = cursor.fetchall()
    return [
        {
            "kind": kind,
            "ended": ended,
            "failed": failed,
            "wait_p50": _nth(wait, 0),
            "wait_p95": _nth(wait, 1),
            "run_p50": _nth(run, 0),
            "run_p95": _nth(run, 1),
        }
        for kind, ended, failed, wait, run in rows
    ]


def _nth(values: list[float] | None, place: int) -> float | None:
    return None if values is None else values[place]


_ENDED = """
SELECT (floor(extract(epoch FROM finished_at) / %(bucket)s) * %(bucket)s)::bigint AS start, status, count(*)
FROM job WHERE finished_at >= to_timestamp(%(start)s) GROUP BY 1, 2
"""
ENDS = ("succeeded", "failed", "cancelled")


def throughput(period: Period) -> list[dict[str, Any]]:
    """Jobs that ended, by bucket of time from the oldest to the present one: `{start, succeeded, failed, cancelled}`.

    Served by `job_finished`. An hour that is over hardly changes, so the cache keeps it for a while and only what is
    not there is counted: mostly the present hour alone.
    """
    last = int(datetime.now(UTC).timestamp() // period.bucket * period.bucket)
    counts = _ended_by_hour(last - period.seconds + period.bucket, last + period.bucket, period.counted)
    rows = []
    for start in range(last - period.seconds + period.bucket, last + 1, period.bucket):
        parts = [counts[begin] for begin in range(start, start + period.bucket, period.counted)]
        sums = [sum(column) for column in zip(*parts, strict=True)]
        rows.append({"start": datetime.fromtimestamp(start, UTC), **dict(zip(ENDS, sums, strict=True))})
    return rows


def _ended_by_hour(first: int, end: int, width: int) -> dict[int, tuple[int, ...]]:
    """Ended jobs from `first` to `end` (Unix times) in steps of `width` seconds, out of the cache where it has them."""
    keys = {start: f"jobs-ended:{width}:{start}" for start in range(first, end, width)}
    known = cache.get_many(keys.values())
    found = {start: tuple(known.get(key, (0, 0, 0))) for start, key in keys.items()}
    now = datetime.now(UTC).timestamp()
    missing = [start for start, key in keys.items() if key not in known and start <= now]
    if missing:
        counted = _ended_since(min(missing), width)
        found |= {start: counted.get(start, (0, 0, 0)) for start in missing}
        over = [start for start in missing if start + width + SETTLED_SECONDS < now]
        cache.set_many({keys[start]: found[start] for start in over}, KEPT_SECONDS)
    return found


def _ended_since(start: int, bucket: int) -> dict[int, tuple[int, int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_ENDED, {"start": start, "bucket": bucket})
        rows = cursor.fetchall()
    counts: dict[int, dict[str, int]] = {}
    for begin, status, count in rows:
        counts.setdefault(begin, {})[status] = count
    return {begin: (row.get(ENDS[0], 0), row.get(ENDS[1], 0), row.get(ENDS[2], 0)) for begin, row in counts.items()}


_ERRORS = """
SELECT groups.*, newest.id
FROM (SELECT error_key, count(*) AS count, min(finished_at), max(finished_at) AS last
      FROM (SELECT error_key, finished_at FROM job
            WHERE status = 'failed' AND id >= %(first)s ORDER BY id DESC LIMIT %(sample)s) AS failed
      WHERE error_key <> '' GROUP BY error_key ORDER BY count(*) DESC, max(finished_at) DESC
      LIMIT %(groups)s) AS groups,
  LATERAL (SELECT id FROM job WHERE error_key = groups.error_key AND error_key <> '' ORDER BY id DESC LIMIT 1) AS newest
ORDER BY groups.count DESC, groups.last DESC
"""


def error_groups(period: Period) -> list[dict[str, Any]]:
    """Failed jobs made in the period, by the fingerprint of their error, the largest group first.

    `{key, count, first, last, sample}`: `sample` is the newest job of the group, and all are of its kind, which is a
    part of the fingerprint. Counted among the newest `FAILURES`. Served by `job_status_newest`, the samples by
    `job_error_group`.
    """
    with connection.cursor() as cursor:
        cursor.execute(_ERRORS, {"first": first_id(period.start), "sample": FAILURES, "groups": GROUPS})
        rows = cursor.fetchall()
    samples = Job.objects.in_bulk([newest for *_rest, newest in rows])
    return [
        {"key": key, "count": count, "first": first, "last": last, "sample": samples[newest]}
        for key, count, first, last, newest in rows
        if newest in samples
    ]


_HELD = """
SELECT *, extract(epoch FROM lease_until - clock_timestamp())::float8 AS left_seconds
FROM job WHERE status = 'running' ORDER BY lease_owner, id LIMIT 200
"""
# A worker that does nothing now is known by what it took last: the newest lines of the timeline tell.
_SEEN = """
SELECT worker, max(at), (array_agg(kind ORDER BY id DESC))[1] = 'lease_lost',
  count(*) FILTER (WHERE kind = 'claimed')
FROM (SELECT id, at, kind, CASE kind WHEN 'claimed' THEN actor ELSE data ->> 'worker' END AS worker
      FROM (SELECT id, at, kind, actor, data FROM job_event ORDER BY id DESC LIMIT %(lines)s) AS newest
      WHERE kind IN ('claimed', 'lease_lost') AND at >= now() - interval '1 hour') AS seen
WHERE worker <> '' GROUP BY worker ORDER BY max(at) DESC LIMIT 50
"""


def workers() -> dict[str, list[dict[str, Any]]]:
    """The workers as their leases tell: `busy` ones with what they run, the seconds left of the lease and the seconds
    since their last heartbeat; others `seen` within the hour; and those of them that were `lost` with their last lease.

    Served by `job_live`, and by the primary key of the timeline from its end.
    """
    held = list(Job.objects.raw(_HELD))
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"lines": CLAIMS})
        seen = cursor.fetchall()
    names = {job.lease_owner for job in held}
    claims = {worker: count for worker, _at, _lost, count in seen}
    others = [
        {"name": worker, "at": at, "lost": lost, "claims": count}
        for worker, at, lost, count in seen
        if worker not in names
    ]
    return {
        "busy": [_busy(job, claims.get(job.lease_owner, 0)) for job in held],
        "seen": others,
        "lost": [worker for worker in others if worker["lost"]],
    }


def _busy(job: Any, claims: int) -> dict[str, Any]:
    """A row of `_HELD`. Every heartbeat sets the lease anew, so what is left of it tells when the last one came."""
    left = job.left_seconds
    return {
        "name": job.lease_owner,
        "job": job,
        "left_seconds": max(0.0, left),
        "heard_seconds": max(0.0, LEASE_SECONDS - left),
        "claims": claims,
    }
