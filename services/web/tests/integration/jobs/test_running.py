"""The worker's side of a job: claims, fences, leases, and what the reaper does about the lost."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone
from ochaq_shared.problems import Problem
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job, JobEvent
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db


@pytest.fixture
def owner(make_user):
    return make_user("manager")


@pytest.fixture
def enqueue(owner):
    def make(kind="students.generate", params=None):
        return services.job_enqueue(kind=kind, params=params if params is not None else {"count": 100}, owner=owner)

    return make


def claim(job):
    return services.job_claim(job_id=job.id, worker="host:1")


def refused(code, call, **arguments):
    with pytest.raises(Problem) as caught:
        call(**arguments)
    assert caught.value.code == code


def sent():
    with connection.cursor() as cursor:
        cursor.execute("SELECT subject FROM outbox WHERE type = 'ochaq.jobs.run' ORDER BY id")
        return [subject for (subject,) in cursor.fetchall()]


def expire(job):
    Job.objects.filter(pk=job.pk).update(lease_until=timezone.now() - timedelta(seconds=30))


def test_a_job_is_claimed_once_and_the_duplicate_command_is_refused(enqueue):
    job = enqueue()
    claimed = claim(job)
    assert (claimed.status, claimed.attempt, claimed.fence, claimed.lease_owner) == ("running", 1, 1, "host:1")
    refused("jobs.not_claimable", services.job_claim, job_id=job.id, worker="host:2")
    assert [event.kind for event in job.events.all()] == ["queued", "claimed"]


def test_an_unknown_job_is_a_404_for_the_worker_too():
    refused("not_found", services.job_claim, job_id=uuid.uuid4(), worker="x")


def test_progress_never_goes_back(enqueue):
    job = claim(enqueue())
    services.job_heartbeat(job_id=job.id, fence=1, progress={"done": 50, "total": 100}, checkpoint={"next_chunk": 2})
    after, _ = services.job_heartbeat(job_id=job.id, fence=1, progress={"done": 20, "total": 100})
    assert after.progress_done == 50 and after.checkpoint == {"next_chunk": 2}


def test_a_stale_fence_is_refused_everywhere(enqueue):
    job = claim(enqueue())
    expire(job)
    assert claim(job).fence == 2
    refused("jobs.stale_fence", services.job_heartbeat, job_id=job.id, fence=1)
    refused("jobs.stale_fence", services.job_hold, job_id=job.id, fence=1)
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="succeeded")
    assert services.job_finish(job_id=job.id, fence=2, status="succeeded", result={"created": 1}).status == "succeeded"


def test_the_same_finish_is_answered_again_and_another_one_refused(enqueue):
    job = claim(enqueue())
    services.job_finish(job_id=job.id, fence=1, status="succeeded", result={"created": 100})
    assert services.job_finish(job_id=job.id, fence=1, status="succeeded").result == {"created": 100}
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="failed")
    assert Job.objects.get(pk=job.pk).progress_done == 100
    assert job.events.filter(kind="succeeded").count() == 1


def test_cancelling_a_running_job_asks_the_worker_and_the_worker_decides(enqueue):
    job = claim(enqueue())
    flagged = services.job_cancel(job_id=job.id, actor="me")
    assert flagged.status == "running"
    beaten, _ = services.job_heartbeat(job_id=job.id, fence=1)
    assert beaten.cancel_requested_at is not None
    assert services.job_finish(job_id=job.id, fence=1, status="cancelled").status == "cancelled"


def test_a_lost_lease_is_queued_again_and_sent_again_with_its_checkpoint(enqueue):
    job = claim(enqueue())
    services.job_heartbeat(job_id=job.id, fence=1, checkpoint={"next_chunk": 3})
    expire(job)
    assert job_lease_reap()["requeued"] == 1
    assert sent() == [str(job.id)] * 2
    again = claim(job)
    assert (again.fence, again.attempt, again.checkpoint) == (2, 2, {"next_chunk": 3})


def test_a_job_that_keeps_losing_leases_without_getting_on_fails(enqueue):
    job = enqueue()
    for _ in range(5):
        Job.objects.filter(pk=job.pk).update(run_after=timezone.now() - timedelta(hours=1))
        claim(job)
        expire(job)
        job_lease_reap()
    job.refresh_from_db()
    assert job.status == "failed"
    assert (job.error["code"], job.error["class"]) == ("jobs.worker_lost", "poison")


def test_getting_on_forgives_earlier_losses(enqueue):
    job = enqueue()
    for number in range(7):
        Job.objects.filter(pk=job.pk).update(run_after=timezone.now() - timedelta(hours=1))
        claimed = claim(job)
        services.job_heartbeat(job_id=job.id, fence=claimed.fence, checkpoint={"next_chunk": number})
        expire(job)
        job_lease_reap()
    job.refresh_from_db()
    assert job.status == "queued"


def test_a_cancelled_job_whose_worker_died_ends_as_cancelled(enqueue):
    job = claim(enqueue())
    services.job_cancel(job_id=job.id, actor="me")
    expire(job)
    assert job_lease_reap()["cancelled"] == 1
    assert Job.objects.get(pk=job.pk).status == "cancelled"


def test_jobs_of_one_exclusive_group_run_in_order_one_after_another(enqueue):
    first, second = enqueue(), enqueue("students.purge", {})
    refused("jobs.not_claimable", services.job_claim, job_id=second.id, worker="x")
    claim(first)
    refused("jobs.not_claimable", services.job_claim, job_id=second.id, worker="x")
    services.job_finish(job_id=first.id, fence=1, status="succeeded")
    assert sent() == [str(first.id), str(second.id), str(second.id)]
    assert claim(second).status == "running"


def test_a_dedupe_key_makes_a_double_click_one_job(owner):
    one = services.job_enqueue(kind="students.purge", params={}, owner=owner, dedupe_key="k")
    two = services.job_enqueue(kind="students.purge", params={}, owner=owner, dedupe_key="k")
    assert one.id == two.id and len(sent()) == 1


def test_the_timeline_is_numbered_without_gaps(enqueue):
    job = claim(enqueue())
    services.job_cancel(job_id=job.id, actor="me")
    services.job_finish(job_id=job.id, fence=1, status="cancelled")
    services.job_retry(job_id=job.id, actor="me")
    found = list(JobEvent.objects.filter(job=job).order_by("seq").values_list("seq", "kind"))
    assert found == [(1, "queued"), (2, "claimed"), (3, "cancel_requested"), (4, "cancelled"), (5, "retried")]


def test_the_internal_doors_speak_the_agreed_shapes(enqueue, service_client, api):
    job, worker = enqueue(), service_client("worker")
    path = f"/internal/v1/jobs/{job.id}"
    claimed = worker.post(f"{path}/claim", {"worker": "h:1"}).json()
    assert claimed == {
        "id": str(job.id),
        "kind": "students.generate",
        "params": {"count": 100, "replace": False},
        "fence": 1,
        "attempt": 1,
        "checkpoint": None,
        "lease_seconds": 9,
        "deadline_seconds": 4 * 3600,
        "cancel": False,
        "cancel_grace_seconds": 4,
        "children": [],
        "owner": str(job.owner_id),
    }
    assert worker.post(f"{path}/claim", {"worker": "h:1"}).status_code == 409
    beat = {"fence": 1, "progress": {"done": 1, "total": 100}, "checkpoint": {"next_chunk": 1}}
    assert worker.post(f"{path}/heartbeat", beat).json() == {"cancel": False}
    assert worker.post(f"{path}/heartbeat", {"fence": 1, "progress": None, "checkpoint": None}).status_code == 200
    assert worker.post(f"{path}/heartbeat", {"fence": 9}).json()["code"] == "jobs.stale_fence"
    assert worker.post(f"{path}/heartbeat", {"fence": True}).status_code == 422
    done = {"fence": 1, "status": "succeeded", "result": {"created": 100}, "error": None}
    assert worker.post(f"{path}/finish", done).json() == {"status": "succeeded"}
    assert worker.post(f"{path}/finish", done).json() == {"status": "succeeded"}
    assert worker.post(f"{path}/finish", {**done, "status": "odd"}).status_code == 422
    assert api("manager").post(f"{path}/claim", {"worker": "x"}).status_code in (401, 403)


def test_the_sweep_forgets_old_rows_and_may_be_repeated(service_client):
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO inbox (consumer, source, event_id, received_at)"
            " VALUES ('c', 's', gen_random_uuid(), now() - interval '20 days')"
        )
    worker = service_client("worker")
    assert worker.post("/internal/v1/maintenance/sweep", {}).json()["inbox"] == 1
    assert worker.post("/internal/v1/maintenance/sweep", {}).json()["inbox"] == 0
