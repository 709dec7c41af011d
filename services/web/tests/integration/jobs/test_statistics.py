"""What the operators' numbers say, and that the indexes they name serve them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.cache import cache
from django.db import connection
from ochaq_web.jobs import charts, statistics
from ochaq_web.jobs.finding import Wanted, jobs_wanted
from ochaq_web.jobs.models import Job, JobEvent

pytestmark = pytest.mark.django_db

DAY, HOUR = statistics.PERIODS["day"], statistics.PERIODS["hour"]
# 20,000 jobs of three kinds over two days, one in twenty failed, as a busy school leaves them behind.
SCHOOL = """
INSERT INTO job (id, kind, queue, params, status, attempt, error, error_key,
  created_at, started_at, claimed_at, finished_at, trace)
SELECT
  (lpad(to_hex((extract(epoch FROM made) * 1000)::bigint), 12, '0') || '70008' || lpad(to_hex(n), 15, '0'))::uuid,
  (ARRAY['students.generate', 'students.purge', 'search.rebuild'])[1 + n % 3], 'jobs.long', '{}',
  CASE WHEN n % 20 = 0 THEN 'failed' ELSE 'succeeded' END, 1,
  CASE WHEN n % 20 = 0 THEN '{"code": "some.error", "detail": "It broke."}'::jsonb END,
  CASE WHEN n % 20 = 0 THEN 'group' || n % 3 ELSE '' END,
  made, made + interval '1 s', made + interval '1 s', made + interval '3 s', 'request-' || n
FROM (SELECT n, now() - interval '2 days' * n / 20000.0 AS made FROM generate_series(1, 20000) AS n) AS rows
"""


@pytest.fixture
def make_job():
    """make_job(status="failed", ended=30): a job that was made `made` seconds ago and ended `ended` seconds ago."""

    def make(*, status="succeeded", kind="students.generate", made=60.0, began=None, ended=None, **fields):
        def ago(seconds):
            return None if seconds is None else datetime.now(UTC) - timedelta(seconds=seconds)

        times = {"created_at": ago(made), "started_at": ago(began), "claimed_at": ago(began), "finished_at": ago(ended)}
        if status == "running":
            fields.setdefault("lease_until", datetime.now(UTC) + timedelta(seconds=6))
        return Job.objects.create(kind=kind, queue="jobs.long", status=status, **{**times, **fields})

    return make


@pytest.fixture
def school():
    with connection.cursor() as cursor:
        cursor.execute(SCHOOL)
        cursor.execute("ANALYZE job")


@pytest.fixture(autouse=True)
def no_cache():
    cache.clear()


def plan(sql, params):
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {sql}", params)
        return "\n".join(row[0] for row in cursor.fetchall())


def test_what_is_live_is_counted_and_the_oldest_that_could_run_tells_its_age(make_job):
    make_job(status="queued", run_after=datetime.now(UTC) - timedelta(seconds=40))
    make_job(status="queued", run_after=datetime.now(UTC) - timedelta(seconds=900), pending_children=2)
    make_job(status="queued", run_after=datetime.now(UTC) + timedelta(seconds=40))
    make_job(status="running", cancel_requested_at=datetime.now(UTC))
    now = statistics.jobs_now()
    assert (now["queued"], now["running"], now["stopping"]) == (3, 1, 1)
    assert 39 < now["oldest_seconds"] < 60


def test_an_empty_house_counts_nothing():
    assert statistics.jobs_now() == {"queued": 0, "running": 0, "stopping": 0, "oldest_seconds": 0.0}
    assert statistics.latencies(DAY) == [] and statistics.error_groups(DAY) == []
    assert statistics.workers() == {"busy": [], "seen": [], "lost": []}
    assert sum(row["succeeded"] for row in statistics.throughput(DAY)) == 0


def test_percentiles_are_those_of_the_kind_and_period(make_job):
    for seconds in range(1, 22):
        make_job(made=100 + seconds, began=100, ended=100 - 2 * seconds)
    make_job(status="failed", kind="students.purge", made=10, began=9, ended=8)
    make_job(made=90_000, began=89_000, ended=88_000)
    rows = {row["kind"]: row for row in statistics.latencies(DAY)}
    made = rows["students.generate"]
    assert (made["ended"], made["failed"], rows["students.purge"]["failed"]) == (21, 0, 1)
    assert made["wait_p50"] == pytest.approx(11, abs=0.5)
    assert made["wait_p95"] == pytest.approx(20, abs=0.5)
    assert made["run_p50"] == pytest.approx(22, abs=0.5)
    assert made["run_p95"] == pytest.approx(40, abs=0.5)


def test_the_bars_hold_every_job_that_ended_in_the_period(make_job):
    for ended in (0, 30, 3700, 7300):
        make_job(ended=ended)
    make_job(status="failed", ended=3700)
    make_job(status="cancelled", ended=25 * 3600)
    rows = statistics.throughput(DAY)
    assert len(rows) == 24 and [row["start"] for row in rows] == sorted(row["start"] for row in rows)
    assert (sum(row["succeeded"] for row in rows), sum(row["failed"] for row in rows)) == (4, 1)
    assert sum(row["cancelled"] for row in rows) == 0


def test_a_bar_that_is_over_is_not_counted_again(make_job):
    make_job(ended=7300)
    first = statistics.throughput(DAY)
    with connection.execute_wrapper(_only_recent):
        assert statistics.throughput(DAY) == first


def _only_recent(execute, sql, params, many, context):
    assert datetime.now(UTC).timestamp() - params["start"] < 2 * 3600, "counts what the cache knows"
    return execute(sql, params, many, context)


def test_bars_never_leave_the_drawing():
    rows = [{"a": 1, "b": 0}, {"a": 9_000, "b": 9_000}, {"a": 0, "b": 0}]
    drawn = charts.bars(rows, ("a", "b"))
    assert (drawn["top"], drawn["total"]) == (20_000, 18_001)
    pieces = [piece for bar in drawn["bars"] for piece in bar["pieces"]]
    assert len(pieces) == 3
    for piece in pieces:
        assert float(piece["y"]) >= 0 and float(piece["y"]) + float(piece["height"]) <= charts.HEIGHT + 0.2
        assert float(piece["x"]) + float(piece["width"]) <= charts.WIDTH


@pytest.mark.parametrize(("value", "top"), [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (501, 1000)])
def test_a_scale_ends_at_a_round_number(value, top):
    assert charts.ceiling(value) == top


def test_errors_are_grouped_by_their_fingerprint(make_job):
    for ended in (300, 200, 100):
        make_job(status="failed", ended=ended, error_key="aaa", error={"code": "x", "detail": f"{ended}"})
    newest = make_job(status="failed", kind="students.purge", ended=50, error_key="bbb", error={"code": "y"})
    most, one = statistics.error_groups(DAY)
    assert (most["key"], most["count"], most["sample"].kind) == ("aaa", 3, "students.generate")
    assert (most["last"] - most["first"]).total_seconds() == pytest.approx(200, abs=5)
    assert most["sample"].error["detail"] == "100"
    assert (one["key"], one["count"], one["sample"]) == ("bbb", 1, newest)


def test_workers_are_busy_idle_or_lost_as_leases_and_timeline_tell(make_job):
    held = make_job(status="running", lease_owner="kitchen:1")
    before = make_job(ended=5)
    gone = make_job(status="queued")
    for seq, (job, kind, actor, data) in enumerate(
        [
            (held, "claimed", "kitchen:1", {}),
            (before, "claimed", "kitchen:2", {}),
            (gone, "claimed", "kitchen:3", {}),
            (gone, "lease_lost", "reaper", {"worker": "kitchen:3"}),
        ]
    ):
        JobEvent.objects.create(job=job, seq=seq, kind=kind, actor=actor, data=data)
    found = statistics.workers()
    (busy,) = found["busy"]
    assert (busy["name"], busy["job"].id) == ("kitchen:1", held.id)
    assert 4 < busy["left_seconds"] <= 6 and 2.5 < busy["heard_seconds"] < 6
    assert {row["name"]: row["lost"] for row in found["seen"]} == {"kitchen:2": False, "kitchen:3": True}


def test_an_id_of_a_moment_is_below_every_job_made_since(make_job):
    before = datetime.now(UTC) - timedelta(milliseconds=5)
    job = make_job()
    assert statistics.first_id(before) < job.id < statistics.first_id(datetime.now(UTC) + timedelta(seconds=5))


def test_every_number_is_served_by_the_index_it_names(school):
    start, first = DAY.start, statistics.first_id(statistics.PERIODS["month"].start)
    assert "job_finished" in plan(statistics._LATENCY, {"start": start, "sample": 500})
    assert "job_finished" in plan(statistics._ENDED, {"start": HOUR.start.timestamp(), "bucket": 300})
    errors = plan(statistics._ERRORS, {"first": first, "sample": 500, "groups": 20})
    assert "job_status_newest" in errors and "job_error_group" in errors
    assert "job_live" in plan(statistics._OLDEST, {})
    assert "Seq Scan" not in plan(statistics._LIVE, {})


@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        (Wanted(status="failed"), "job_status_newest"),
        (Wanted(error="group0"), "job_error_group"),
        (Wanted(text="request-77"), "job_trace"),
        (Wanted(period="hour"), "job_pkey"),
        (Wanted(), "job_pkey"),
    ],
)
def test_every_list_is_served_by_an_index_that_ends_with_the_id(school, wanted, index):
    found = jobs_wanted(Job.objects.all(), wanted).order_by("-id")[:51]
    shown = found.explain()
    assert index in shown and "Seq Scan" not in shown, shown
    assert len(found) > 0


def test_a_text_is_the_id_of_a_job_or_of_a_request(make_job):
    one, other = make_job(trace="0123456789abcdef0123456789abcdef"), make_job(trace="else")
    everything = Job.objects.all()
    assert list(jobs_wanted(everything, Wanted(text=one.trace))) == [one]
    assert list(jobs_wanted(everything, Wanted(text=str(other.id)))) == [other]
    assert list(jobs_wanted(everything, Wanted(text="no such thing"))) == []
