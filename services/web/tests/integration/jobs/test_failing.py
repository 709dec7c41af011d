"""How runs go wrong: transient failures, permanent ones, poison, deadlines, and workers that give their job back."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone
from jobs_by_hand import aged, commands, expired, fresh, last_event, refused, timeline
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db

BUSY = {"code": "search.busy", "detail": "Come back later.", "retry": "transient"}


def fail(job, error, **more):
    return services.job_finish(job_id=job.id, fence=job.fence, status="failed", error=error, **more)


def claim(job):
    return services.job_claim(job_id=job.id, worker="host:1")


def test_a_transient_failure_is_tried_again_later_and_not_before(running):
    job = running()
    after = fail(job, BUSY)
    assert (after.status, after.failures, after.error, after.finished_at) == ("queued", 1, None, None)
    assert timedelta(seconds=0.4) < after.run_after - timezone.now() <= timedelta(seconds=1)
    refused("jobs.not_claimable", services.job_claim, job_id=job.id, worker="host:2")
    assert job_lease_reap()["dispatched"] == 0
    aged(job, 2)
    assert job_lease_reap()["dispatched"] == 1 and commands() == [str(job.id)] * 2
    assert claim(job).attempt == 2
    told = job.events.get(kind="failed_transiently")
    assert told.data["error"]["code"] == "search.busy" and told.data["wait_seconds"] > 0
    assert told.data["worker"] == "host:1" and told.data["attempt"] == 1


def test_the_wait_that_the_error_asks_for_is_honoured(running):
    after = fail(running(), {**BUSY, "after_seconds": 100})
    assert timedelta(seconds=99) < after.run_after - timezone.now() < timedelta(seconds=125)


def test_one_transient_failure_too_many_ends_the_job_as_exhausted(enqueue):
    job = enqueue()
    for number in range(5):
        after = fail(claim(job), BUSY)
        assert after.status == ("failed" if number == 4 else "queued")
        aged(job, 400)
    assert (after.error["class"], after.failures, after.attempt) == ("exhausted", 5, 5)
    assert timeline(job).count("failed_transiently") == 4 and timeline(job)[-1] == "failed"


def test_getting_on_between_transient_failures_forgives_them(enqueue):
    job = enqueue("test.steps", {"steps": 10})
    for step in range(8):
        claimed = claim(job)
        services.job_heartbeat(job_id=job.id, fence=claimed.fence, checkpoint={"step": step})
        assert fail(claimed, BUSY).failures == 1
        aged(job, 400)
    assert fresh(job).status == "queued" and fresh(job).checkpoint == {"step": 7}


def test_the_checkpoint_of_a_failed_run_is_kept_for_the_next(running):
    assert fail(running("test.steps", {}), BUSY, checkpoint={"step": 4}).checkpoint == {"step": 4}


@pytest.mark.parametrize(("retry", "kept"), [({}, "permanent"), ({"retry": "poison"}, "poison")])
def test_any_other_failure_ends_the_job_now(running, retry, kept):
    after = fail(running(), {"code": "x.broken", "detail": "No.", **retry})
    assert after.status == "failed" and after.error == {"code": "x.broken", "detail": "No.", "class": kept}


def test_a_transient_failure_of_a_job_that_is_to_be_cancelled_ends_it(running):
    job = running()
    services.job_cancel(job_id=job.id, actor="me")
    assert fail(job, BUSY).status == "cancelled"


def test_the_same_transient_failure_told_twice_counts_once(running):
    job = running()
    fail(job, BUSY)
    assert fail(job, BUSY).failures == 1
    assert timeline(job).count("failed_transiently") == 1


def test_a_stale_fence_cannot_fail_a_job_either(running):
    job = running()
    expired(job)
    assert services.job_claim(job_id=job.id, worker="host:2").fence == 2
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="failed", error=BUSY)
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="waiting")


def test_failures_of_one_making_share_a_group_and_others_do_not(enqueue):
    def key(kind, code, detail):
        return fail(claim(enqueue(kind)), {"code": code, "detail": detail}).error_key

    one = key("test.noop", "a.b", "Row 17 of 0197f0a2-0000-7000-8000-0000000000aa broke after 1.5 s.")
    assert one == key("test.noop", "a.b", "Row 9 of 0197f0a2-ffff-7000-8000-0000000000bb broke after 22.75 s.")
    others = {
        key("test.noop", "a.c", "Row 17"),
        key("test.crash", "a.b", "Row 17"),
        key("test.noop", "a.b", "Column 17"),
    }
    assert one and len(others | {one}) == 4
    assert services.job_finish(job_id=(ok := claim(enqueue())).id, fence=ok.fence, status="succeeded").error_key == ""


def test_a_run_past_its_deadline_fails_although_it_still_sends_heartbeats(running):
    job = running()
    aged(job, 59)
    services.job_heartbeat(job_id=job.id, fence=1)
    assert job_lease_reap()["failed"] == 0
    aged(job, 2)
    services.job_heartbeat(job_id=job.id, fence=1)
    assert job_lease_reap()["failed"] == 1
    after = fresh(job)
    assert (after.status, after.error["code"], after.error["class"]) == ("failed", "jobs.deadline", "permanent")
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="succeeded")


def test_celery_is_told_the_deadline_as_its_second_line(enqueue):
    from django.db import connection

    enqueue()
    with connection.cursor() as cursor:
        cursor.execute("SELECT headers -> 'timelimit' FROM outbox WHERE type = 'ochaq.jobs.run'")
        assert cursor.fetchone()[0] == "[75, 65]"


def test_a_worker_that_leaves_gives_its_job_back_at_once_and_for_nothing(running):
    job = running()
    after = services.job_release(job_id=job.id, worker="host:1", lost=False)
    assert (after.status, after.lost_leases, after.failures) == ("queued", 0, 0)
    assert timeline(job)[-1] == "released" and commands() == [str(job.id)] * 2
    assert claim(job).fence == 2
    refused("jobs.stale_fence", services.job_release, job_id=job.id, worker="host:9", lost=False)


def test_a_worker_process_that_died_counts_as_a_lost_lease(running):
    job = running()
    assert services.job_release(job_id=job.id, worker="host:1", lost=True).lost_leases == 1
    assert timeline(job)[-1] == "lease_lost" and claim(job).attempt == 2


def test_what_kills_worker_after_worker_is_taken_for_poison(enqueue):
    job = enqueue()
    for _ in range(5):
        Job.objects.filter(pk=job.pk).update(run_after=timezone.now() - timedelta(hours=1))
        claim(job)
        after = services.job_release(job_id=job.id, worker="host:1", lost=True)
    assert (after.status, after.error["class"]) == ("failed", "poison")


def test_giving_back_what_is_to_be_cancelled_ends_it(running):
    job = running()
    services.job_cancel(job_id=job.id, actor="me")
    assert services.job_release(job_id=job.id, worker="host:1", lost=False).status == "cancelled"


def test_the_timeline_says_who_ran_it_how_long_it_waited_and_how_long_it_ran(enqueue):
    job = enqueue()
    aged(job, 7)
    claim(job)
    claimed = last_event(job)
    assert claimed.actor == "host:1"
    assert claimed.data["worker"] == "host:1" and claimed.data["attempt"] == 1 and 7 <= claimed.data["wait_seconds"] < 9
    services.job_finish(job_id=job.id, fence=1, status="succeeded", result={"n": 1})
    ended = last_event(job)
    assert ended.kind == "succeeded" and ended.data["worker"] == "host:1" and 0 <= ended.data["run_seconds"] < 5
