"""A long history stays quick to look through (quality.md, J6): every list and filter is served by an index.

`OCHAQ_TEST_JOBS=1000000` makes it as long as one likes; the times are printed with `-s`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from itertools import product

import pytest
from django.db import connection
from ochaq_web.jobs import selectors
from ochaq_web.jobs.models import Job, Status

pytestmark = [pytest.mark.django_db, pytest.mark.slow, pytest.mark.timeout(1800)]

ROWS = int(os.environ.get("OCHAQ_TEST_JOBS", "100000"))
MOST_BLOCKS = 400

# One kind and one owner have nearly all of it; failures of the rare kind are rarer than one in ten thousand.
_FILL = """
INSERT INTO job (id, kind, queue, params, owner_id, status, version, attempt, error_key, error,
  created_at, started_at, finished_at, trace)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint - %(rows)s + n), 12, '0') || '7' || substr(hash, 1, 3)
    || '8' || substr(hash, 4, 15))::uuid,
  CASE WHEN n %% 1000 = 0 THEN 'search.rebuild' WHEN n %% 20 = 1 THEN 'students.purge' ELSE 'students.generate' END,
  'jobs.long', '{}', owners[CASE WHEN n %% 50 = 0 THEN 2 ELSE 1 END],
  CASE WHEN n %% 97 = 0 THEN 'failed' WHEN n %% 89 = 0 THEN 'cancelled' WHEN n > %(rows)s - 50 THEN 'queued'
    ELSE 'succeeded' END,
  3, 1, CASE WHEN n %% 97 = 0 THEN 'group' || n %% 7 ELSE '' END,
  CASE WHEN n %% 97 = 0 THEN '{"code": "x", "detail": "y", "class": "permanent"}'::jsonb END,
  now(), now(), CASE WHEN n <= %(rows)s - 50 THEN now() END, hash
FROM generate_series(1, %(rows)s) AS n, md5(n::text) AS hash, (SELECT %(owners)s::uuid[] AS owners) AS people
"""


@pytest.fixture
def history(make_user):
    busy, calm = make_user("manager"), make_user("manager")
    with connection.cursor() as cursor:
        cursor.execute(_FILL, {"rows": ROWS, "owners": [busy.pk, calm.pk]})
        cursor.execute("ANALYZE job")
    return busy, calm


def lists(busy, calm):
    """Every list that the doors offer, by name."""
    for status, kind in product(["", *Status.values], ["", "students.generate", "students.purge", "search.rebuild"]):
        for whose, jobs in (
            ("all", Job.objects.all()),
            ("busy", selectors.jobs_of(busy)),
            ("calm", selectors.jobs_of(calm)),
        ):
            yield f"{whose} {status or '*'} {kind or '*'}", selectors.job_filter(jobs, status=status, kind=kind)
    yield "error group", Job.objects.filter(status="failed", error_key="group3")
    yield "trace", Job.objects.filter(trace=Job.objects.last().trace)


def blocks(jobs):
    """How many pages of 8 kB the query reads: unlike a time, the same on a busy machine."""
    (plan,) = json.loads(jobs.explain(analyze=True, buffers=True, format="json"))
    return plan["Plan"]["Shared Hit Blocks"] + plan["Plan"]["Shared Read Blocks"]


def test_every_list_and_filter_of_a_long_history_reads_a_few_pages_only(history):
    read, times = [], []
    for name, found in lists(*history):
        jobs = found.order_by("-id")[:26]
        read.append((blocks(jobs), name))
        began = time.perf_counter()
        list(jobs)
        times.append((time.perf_counter() - began) * 1000)
    times.sort()
    p95 = times[int(len(times) * 0.95)]
    sys.stdout.write(f"{ROWS} jobs, {len(times)} lists: p95 {p95:.1f} ms, most pages {max(read)}\n")
    assert [(count, name) for count, name in read if count > MOST_BLOCKS] == []
