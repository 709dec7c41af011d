"""Claims and ends of many jobs in one call: each as if it had been alone."""

from __future__ import annotations

import uuid

import orjson
import pytest
from django.db import connection
from jobs_by_hand import aged, commands, fresh, timeline
from ochaq_shared.events import CloudEvent
from ochaq_web.jobs import services
from ochaq_web.jobs.announce import GROUPED_QUEUE, LARGEST_GROUP
from ochaq_web.jobs.models import Job

pytestmark = pytest.mark.django_db

NOOP = {"kind": "test.noop", "params": {}}


@pytest.fixture
def family(running):
    """family(3) → a parent that waits, and its children."""

    def make(count, child=NOOP):
        parent = running("test.fan", {"children": count})
        ids = services.children_start(job_id=parent.id, fence=1, jobs=[child] * count)
        services.job_finish(job_id=parent.id, fence=1, status="waiting")
        return parent, list(Job.objects.filter(pk__in=ids).order_by("id"))

    return make


def claim(*jobs, worker="host:2"):
    taken, refused = services.jobs_claim(job_ids=[job.id for job in jobs], worker=worker)
    assert len(taken) + len(refused) == len(jobs)
    return [job.id for job in taken]


def finish(*runs):
    """runs are (job, fence, status, more)."""
    asked = [{"job_id": job.id, "fence": fence, "status": status, **more} for job, fence, status, more in runs]
    return [status for _, status in services.jobs_finish(runs=asked)]


def group_commands():
    with connection.cursor() as cursor:
        cursor.execute("SELECT subject, body FROM outbox WHERE type = 'ochaq.jobs.run_group' ORDER BY id")
        return [(subject, orjson.loads(body)[0][0]) for subject, body in cursor.fetchall()]


def last_facts(job):
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT body FROM outbox WHERE subject = %s AND exchange = 'ochaq.events' ORDER BY id", [str(job.id)]
        )
        return [CloudEvent.parse(body) for (body,) in cursor.fetchall()]


def test_those_that_can_be_claimed_are_and_each_has_its_own_lease_fence_timeline_and_fact(enqueue):
    free, cancelled, taken = (enqueue() for _ in range(3))
    services.job_cancel(job_id=cancelled.id, actor="me")
    services.job_claim(job_id=taken.id, worker="host:1")
    assert claim(free, cancelled, taken) == [free.id]
    assert (fresh(free).status, fresh(free).fence, fresh(free).lease_owner) == ("running", 1, "host:2")
    assert fresh(taken).lease_owner == "host:1" and fresh(cancelled).status == "cancelled"
    assert timeline(free) == ["queued", "claimed"]
    facts = last_facts(free)
    assert [fact.fact().status for fact in facts] == ["queued", "running"]
    assert [fact.version for fact in facts] == [1, 2] and len({fact.id for fact in facts}) == 2


def test_a_turn_is_kept_among_jobs_claimed_together(enqueue):
    first, second = (enqueue("students.purge") for _ in range(2))
    assert claim(second, first) == [first.id]
    assert fresh(second).status == "queued"


def test_who_names_a_job_twice_or_one_that_is_not_there_gets_the_others(enqueue):
    job = enqueue()
    taken, refused = services.jobs_claim(job_ids=[job.id, job.id, nobody := uuid.uuid4()], worker="host:2")
    assert {each.id for each in taken} == {job.id} and refused == [nobody]
    assert timeline(job) == ["queued", "claimed"]


def test_ends_together_are_ends_each_by_itself(family):
    parent, (good, bad, given_up, later, late) = family(5)
    claim(good, bad, given_up, later, late)
    aged(late, 60)
    services.job_claim(job_id=late.id, worker="host:3")  # its lease is somebody else's by now
    error = {"code": "x.no", "detail": "id 17", "retry": "permanent"}
    again = {"code": "x.busy", "detail": "", "retry": "transient", "after_seconds": 0}
    told = finish(
        (good, 1, "succeeded", {"result": {"n": [1, "ütü"]}}),
        (bad, 1, "failed", {"error": error}),
        (given_up, 1, "cancelled", {}),
        (later, 1, "failed", {"error": again}),
        (late, 1, "succeeded", {}),
    )
    assert told == ["succeeded", "failed", "cancelled", "queued", "jobs.stale_fence"]
    assert fresh(good).result == {"n": [1, "ütü"]} and fresh(good).lease_until is None
    assert fresh(bad).error["class"] == "permanent" and fresh(bad).error_key
    alone = services.job_enqueue(kind="test.noop", params={}, owner=None)
    services.job_claim(job_id=alone.id, worker="host:2")
    services.job_finish(job_id=alone.id, fence=1, status="failed", error={**error, "detail": "id 18"})
    assert fresh(bad).error_key == fresh(alone).error_key, "grouped as if it had ended alone"
    assert last_facts(good)[-1].fact().result == {"n": [1, "ütü"]}
    assert timeline(given_up) == ["queued", "claimed", "cancelled"]
    assert fresh(parent).pending_children == 2, "two are not over"
    assert not Job.objects.filter(parent=parent, awaited=True).exclude(pk__in=[later.pk, late.pk]).exists()


def test_the_same_ends_again_are_answered_again_and_count_once(family):
    parent, children = family(3)
    claim(*children)
    runs = [(child, 1, "succeeded", {"result": {}}) for child in children]
    assert finish(*runs[:2]) == ["succeeded"] * 2
    assert finish(*runs[:2]) == ["succeeded"] * 2
    assert fresh(parent).pending_children == 1
    assert finish((children[0], 1, "failed", {})) == ["jobs.stale_fence"], "another end than it had"


def test_the_last_of_them_puts_the_parent_back_to_work_once(family):
    parent, children = family(4)
    claim(*children)
    before = commands().count(str(parent.id))
    finish(*[(child, 1, "succeeded", {}) for child in children])
    assert commands().count(str(parent.id)) == before + 1
    assert timeline(parent)[-1] == "children_over" and fresh(parent).pending_children == 0


def test_two_parents_count_their_own(family):
    one, some = family(2)
    other, more = family(3)
    claim(*some, *more)
    finish(*[(child, 1, "succeeded", {}) for child in [*some, *more[:2]]])
    assert (fresh(one).pending_children, fresh(other).pending_children) == (0, 1)
    assert timeline(one)[-1] == "children_over" and timeline(other)[-1] == "waiting"


def test_a_job_with_children_of_its_own_or_a_group_ends_together_with_others_as_it_would_alone(running):
    parent, purge = running("test.fan", {}), running("students.purge")
    (child,) = services.children_start(job_id=parent.id, fence=1, jobs=[NOOP])
    waiting = services.job_enqueue(kind="students.purge", params={}, owner=None)
    told = finish((parent, 1, "failed", {"error": {"code": "x.no"}}), (purge, 1, "succeeded", {}))
    assert told == ["failed", "succeeded"]
    assert Job.objects.get(pk=child).status == "cancelled"
    assert commands().count(str(waiting.id)) == 2, "its turn has come"


def test_short_children_come_in_groups_and_others_alone(family):
    parent, children = family(60)
    groups = group_commands()
    assert {subject for subject, _ in groups} == {str(parent.id)}
    assert [each for _, ids in groups for each in ids] == [str(child.id) for child in children]
    assert len(groups) == 8 and max(len(ids) for _, ids in groups) <= LARGEST_GROUP
    assert {child.queue for child in children} == {GROUPED_QUEUE}
    _, steps = family(3, {"kind": "test.steps", "params": {"steps": 1}})
    assert len(group_commands()) == 8 and commands()[-3:] == [str(child.id) for child in steps]


def test_the_doors_take_a_hundred_and_answer_for_each(family, service_client):
    _, children = family(100)
    worker, ids = service_client("worker"), [str(child.id) for child in children]
    answer = worker.post("/internal/v1/jobs/claims", {"worker": "host:9", "jobs": [*ids[1:], str(uuid.uuid4())]}).json()
    assert [claimed["id"] for claimed in answer["claims"]] == ids[1:] and len(answer["refused"]) == 1
    assert answer["claims"][0].keys() == worker.post(f"/internal/v1/jobs/{ids[0]}/claim", {"worker": "h"}).json().keys()
    ends = [{"id": each, "fence": 1, "status": "succeeded", "result": {}} for each in ids]
    ends[7]["fence"] = 2
    told = worker.post("/internal/v1/jobs/finishes", {"jobs": ends}).json()["jobs"]
    assert told.pop(ids[7]) == "jobs.stale_fence" and set(told.values()) == {"succeeded"} and len(told) == 99


@pytest.mark.parametrize(
    ("door", "body"),
    [
        ("claims", {"worker": "h", "jobs": []}),
        ("claims", {"worker": "h", "jobs": ["no uuid"]}),
        ("claims", {"worker": "", "jobs": [str(uuid.uuid4())]}),
        ("claims", {"worker": "h", "jobs": [str(uuid.uuid4())] * 101}),
        ("finishes", {"jobs": [{"id": str(uuid.uuid4()), "status": "succeeded"}]}),
        ("finishes", {"jobs": [{"id": str(uuid.uuid4()), "fence": 1, "status": "asleep"}]}),
    ],
)
def test_a_wrong_body_is_refused_whole(service_client, door, body):
    assert service_client("worker").post(f"/internal/v1/jobs/{door}", body).status_code == 422
