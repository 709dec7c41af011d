"""Fan-out and fan-in: children, counted by their parent."""

from __future__ import annotations

import pytest
from jobs_by_hand import commands, fresh, refused, timeline
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db

NOOP = {"kind": "test.noop", "params": {}}


@pytest.fixture
def family(running):
    """family(3) → a parent that waits, and its children."""

    def make(count):
        parent = running("test.fan", {"children": count})
        ids = services.children_start(job_id=parent.id, fence=1, jobs=[NOOP] * count)
        services.job_finish(job_id=parent.id, fence=1, status="waiting", checkpoint={"phase": "joined"})
        return fresh(parent), [Job.objects.get(pk=each) for each in ids]

    return make


def end(job, status="succeeded", **more):
    claimed = services.job_claim(job_id=job.id, worker="host:2")
    return services.job_finish(job_id=job.id, fence=claimed.fence, status=status, **more)


def test_the_last_child_puts_the_parent_back_to_work(family):
    parent, children = family(3)
    assert (parent.status, parent.pending_children) == ("queued", 3)
    refused("jobs.not_claimable", services.job_claim, job_id=parent.id, worker="host:1")
    for child in children[:2]:
        end(child)
    assert commands().count(str(parent.id)) == 1
    end(children[2], result={"n": 7})
    assert commands().count(str(parent.id)) == 2
    again = services.job_claim(job_id=parent.id, worker="host:1")
    assert again.checkpoint == {"phase": "joined"} and again.pending_children == 0
    assert services.job_finish(job_id=parent.id, fence=2, status="succeeded").status == "succeeded"
    assert timeline(parent) == ["queued", "claimed", "waiting", "children_over", "claimed", "succeeded"]


def test_the_door_tells_a_parent_how_its_children_ended(family, service_client):
    parent, (good, bad) = family(2)
    end(good, result={"n": 7})
    end(bad, "failed", error={"code": "x.no", "detail": "no"})
    worker = service_client("worker")
    told = worker.post(f"/internal/v1/jobs/{parent.id}/claim", {"worker": "host:1"}).json()["children"]
    assert told == [
        {"id": str(good.id), "kind": "test.noop", "status": "succeeded", "result": {"n": 7}, "error": None},
        {
            "id": str(bad.id),
            "kind": "test.noop",
            "status": "failed",
            "result": None,
            "error": {"code": "x.no", "detail": "no", "class": "permanent"},
        },
    ]


def test_children_that_ended_before_the_parent_waits_do_not_keep_it_waiting(running):
    parent = running("test.fan", {})
    (child,) = services.children_start(job_id=parent.id, fence=1, jobs=[NOOP])
    end(Job.objects.get(pk=child))
    services.job_finish(job_id=parent.id, fence=1, status="waiting")
    assert services.job_claim(job_id=parent.id, worker="host:1").attempt == 2


def test_the_door_makes_children_once_per_dedupe_key_and_in_order(running, service_client, owner):
    parent, worker = running("test.fan", {}), service_client("worker")
    body = {"fence": 1, "jobs": [{**NOOP, "dedupe_key": f"part {n}"} for n in range(4)]}
    ids = worker.post(f"/internal/v1/jobs/{parent.id}/children", body).json()["ids"]
    assert ids == sorted(ids) and len(set(ids)) == 4
    assert worker.post(f"/internal/v1/jobs/{parent.id}/children", body).json()["ids"] == ids
    assert fresh(parent).pending_children == 4
    child = Job.objects.get(pk=ids[0])
    assert child.owner_id == owner.pk and child.parent_id == parent.id
    assert commands() == [str(parent.id), *ids]


def test_a_wrong_child_is_a_422_with_a_pointer_and_none_is_made(running, service_client):
    parent, worker = running("test.fan", {}), service_client("worker")
    body = {"fence": 1, "jobs": [NOOP, {"kind": "test.steps", "params": {"steps": 0}}]}
    answer = worker.post(f"/internal/v1/jobs/{parent.id}/children", body)
    assert answer.status_code == 422 and answer.json()["errors"][0]["pointer"] == "/jobs/1/params/steps"
    assert not Job.objects.filter(parent=parent).exists() and fresh(parent).pending_children == 0


def test_only_the_parents_own_worker_makes_children(running):
    parent = running("test.fan", {})
    refused("jobs.stale_fence", services.children_start, job_id=parent.id, fence=2, jobs=[NOOP])


def test_cancelling_a_waiting_parent_cancels_its_children_too(family):
    parent, (first, second) = family(2)
    services.job_claim(job_id=second.id, worker="host:2")
    services.job_cancel(job_id=parent.id, actor="me", reason="enough")
    assert fresh(parent).status == "cancelled" and fresh(first).status == "cancelled"
    assert fresh(second).cancel_requested_at is not None
    services.job_finish(job_id=second.id, fence=1, status="cancelled")
    assert fresh(parent).pending_children == 0 and fresh(parent).status == "cancelled"
    assert commands().count(str(parent.id)) == 1


def test_children_of_a_running_parent_that_fails_are_cancelled(running):
    parent = running("test.fan", {})
    (child,) = services.children_start(job_id=parent.id, fence=1, jobs=[NOOP])
    services.job_finish(job_id=parent.id, fence=1, status="failed", error={"code": "x.no", "detail": ""})
    assert Job.objects.get(pk=child).status == "cancelled" and fresh(parent).pending_children == 0


def test_the_reaper_cancels_children_that_a_cut_short_cancel_left_behind(family):
    parent, (child,) = family(1)
    Job.objects.filter(pk=parent.pk).update(status="cancelled")
    assert job_lease_reap()["orphans"] == 1
    assert fresh(child).status == "cancelled"


def test_no_child_is_made_for_a_parent_that_is_being_cancelled(running):
    parent = running("test.fan", {})
    services.job_cancel(job_id=parent.id, actor="me")
    refused("jobs.over", services.children_start, job_id=parent.id, fence=1, jobs=[NOOP])


def test_a_child_retried_while_its_parent_waits_is_waited_for_again(family):
    parent, (first, second) = family(2)
    end(first, "failed", error={"code": "x.no", "detail": ""})
    services.job_retry(job_id=first.id, actor="me")
    assert fresh(parent).pending_children == 2
    end(second)
    assert fresh(parent).status == "queued" and fresh(parent).pending_children == 1
    end(first)
    assert services.job_claim(job_id=parent.id, worker="host:1").attempt == 2


def test_a_child_retried_after_its_parent_is_over_runs_alone(family):
    parent, (child,) = family(1)
    end(child, "failed", error={"code": "x.no", "detail": ""})
    services.job_claim(job_id=parent.id, worker="host:1")
    services.job_finish(job_id=parent.id, fence=2, status="failed", error={"code": "x.child", "detail": ""})
    services.job_retry(job_id=child.id, actor="me")
    assert job_lease_reap()["orphans"] == 0
    assert end(child).status == "succeeded" and fresh(parent).pending_children == 0


def test_a_part_of_a_race_is_not_started_by_itself(api):
    params = {"rows": 100, "round": 1, "race": "r"}
    answer = api("manager").post("/api/v1/jobs/", {"kind": "lab.ours", "params": params})
    assert answer.status_code == 422 and answer.json()["errors"][0]["code"] == "child_only"
