"""The fence is what keeps a worker that slept past its lease from doing harm: without it, the checker below notices."""

from __future__ import annotations

import pytest
from jobs_by_hand import expired, fresh
from ochaq_shared.problems import Problem
from ochaq_web.jobs import services
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.services import ending, running
from ochaq_web.students import batches
from ochaq_web.students.models import Student

pytestmark = pytest.mark.django_db

FENCED = "fence = %(fence)s"


def batch(job, worker, fence, chunk):
    row = f'{{"first_name":"Demo","last_name":"Demo","email":"{worker}{chunk}@example.com","age":20}}\n'
    batches.student_batch_create(job_id=job.id, fence=fence, chunk=chunk, body=row.encode())


def beat(job, fence, by):
    services.job_heartbeat(job_id=job.id, fence=fence, progress={"done": 1, "total": 2}, checkpoint={"by": by})


def finish(job, fence, by):
    services.job_finish(job_id=job.id, fence=fence, status="succeeded", result={"by": by})


def finish_together(job, fence, by):
    other = services.job_enqueue(kind="test.noop", params={}, owner=None)
    services.job_claim(job_id=other.id, worker=by)
    ends = [
        {"job_id": job.id, "fence": fence, "status": "succeeded", "result": {"by": by}},
        {"job_id": other.id, "fence": 1, "status": "succeeded"},
    ]
    services.jobs_finish(runs=ends)
    assert fresh(other).status == "succeeded"


def attempt(call, *arguments):
    try:
        call(*arguments)
    except Problem as problem:
        return problem.code
    return "done"


def violations(enqueue):
    """A worker freezes past its lease, another takes over, the first wakes up: what of the first one's work counted?"""
    job = enqueue("students.generate", {"count": 2})
    services.job_claim(job_id=job.id, worker="frozen")
    batch(job, "frozen", 1, 0)
    expired(job)
    services.job_claim(job_id=job.id, worker="healthy")
    attempt(beat, job, 2, "healthy")
    attempt(batch, job, "frozen", 1, 1)
    attempt(beat, job, 1, "frozen")
    checkpoint = fresh(job).checkpoint
    attempt(finish, job, 1, "frozen")
    attempt(batch, job, "healthy", 2, 1)
    attempt(finish, job, 2, "healthy")
    return check(fresh(job), checkpoint)


def check(job: Job, checkpoint):
    found = []
    if checkpoint != {"by": "healthy"}:
        found.append("the stale worker moved the checkpoint")
    if Student.objects.filter(email="frozen1@example.com").exists():
        found.append("the stale worker wrote a row")
    if job.result != {"by": "healthy"} or job.status != "succeeded":
        found.append("the stale worker ended the job")
    return found


def unfenced_hold(*, job_id, fence):
    return Job.objects.filter(pk=job_id, status="running").select_for_update().get()


def test_nothing_that_a_stale_worker_does_counts(enqueue):
    assert violations(enqueue) == []


@pytest.mark.parametrize(
    ("module", "name", "noticed"),
    [
        (running, "_HEARTBEAT", "the stale worker moved the checkpoint"),
        (running, "FINISH", "the stale worker ended the job"),
        (batches, "job_hold", "the stale worker wrote a row"),
    ],
)
def test_without_the_fence_the_checker_notices(enqueue, monkeypatch, module, name, noticed):
    if name == "job_hold":
        monkeypatch.setattr(module, name, unfenced_hold)
    else:
        sql = getattr(module, name)
        assert FENCED in sql
        monkeypatch.setattr(module, name, sql.replace(FENCED, "%(fence)s::bigint IS NOT NULL"))
    assert violations(enqueue) == [noticed]


def stale_end_counts(enqueue):
    """The same, for workers that end many jobs in one call."""
    job = enqueue()
    services.jobs_claim(job_ids=[job.id], worker="frozen")
    expired(job)
    services.jobs_claim(job_ids=[job.id], worker="healthy")
    finish_together(job, 1, "frozen")
    finish_together(job, 2, "healthy")
    return fresh(job).result != {"by": "healthy"}


def test_the_fence_holds_for_ends_together_too_and_its_absence_is_noticed(enqueue, monkeypatch):
    assert not stale_end_counts(enqueue)
    fenced = "job.fence = given.fence AND"
    assert fenced in ending._FINISH_MANY
    monkeypatch.setattr(ending, "_FINISH_MANY", ending._FINISH_MANY.replace(fenced, ""))
    assert stale_end_counts(enqueue)


def test_the_fence_stands_in_every_statement_of_a_worker():
    for sql in (running._HEARTBEAT, ending.FINISH, ending.FINISH_ALONE):
        assert FENCED in sql
