"""Cancelling works whatever the workers do, and a job never ends twice."""

from __future__ import annotations

import threading
import uuid

import pytest
import redis
from django.db import connection, connections
from jobs_by_hand import aged, fresh, last_event, refused, timeline
from ochaq_shared.problems import Problem
from ochaq_web.config.environment import environment
from ochaq_web.jobs import operating, services
from ochaq_web.jobs.live import CANCEL_CHANNEL
from ochaq_web.jobs.models import Job
from ochaq_web.jobs.reaper import job_lease_reap

pytestmark = pytest.mark.django_db


def test_a_running_job_whose_worker_does_not_listen_is_cancelled_after_the_grace(running):
    job = running()
    services.job_cancel(job_id=job.id, actor="me")
    services.job_heartbeat(job_id=job.id, fence=1)
    assert job_lease_reap()["cancelled"] == 0
    aged(job, 4.5)
    services.job_heartbeat(job_id=job.id, fence=1)
    assert job_lease_reap()["cancelled"] == 1
    assert fresh(job).status == "cancelled" and last_event(job).actor == "reaper"
    refused("jobs.stale_fence", services.job_finish, job_id=job.id, fence=1, status="succeeded")
    refused("jobs.stale_fence", services.job_heartbeat, job_id=job.id, fence=1)


def test_asking_again_does_not_give_the_worker_more_time(running):
    job = running()
    services.job_cancel(job_id=job.id, actor="me")
    aged(job, 4.5)
    services.job_cancel(job_id=job.id, actor="you")
    services.job_heartbeat(job_id=job.id, fence=1)
    assert job_lease_reap()["cancelled"] == 1


def test_the_reason_stands_in_the_timeline(api, running, owner):
    job, client = running(), api(user=owner)
    path = f"/api/v1/jobs/{job.id}"
    assert client.post(f"{path}/cancel/", {"reason": " wrong file "}).status_code == 202
    assert (last_event(job).data, last_event(job).actor) == ({"reason": "wrong file"}, str(owner.pk))
    services.job_finish(job_id=job.id, fence=1, status="cancelled")
    assert client.post(f"{path}/retry/", {"reason": "right file"}).status_code == 202
    assert last_event(job).kind == "retried" and last_event(job).data == {"reason": "right file"}


@pytest.mark.parametrize("body", [{"reason": 7}, {"reason": "x" * 301}, {"why": "x"}, ["x"]])
def test_a_malformed_reason_is_a_422_and_changes_nothing(api, running, owner, body):
    job = running()
    assert api(user=owner).post(f"/api/v1/jobs/{job.id}/cancel/", body).status_code == 422
    assert fresh(job).cancel_requested_at is None


def test_redriving_runs_the_failed_ones_again_and_says_so(running, enqueue):
    failed = [running() for _ in range(3)]
    for job in failed:
        services.job_finish(job_id=job.id, fence=1, status="failed", error={"code": "x.no", "detail": "no"})
    waiting = enqueue()
    done = services.jobs_redrive(
        job_ids=[*(job.id for job in failed), waiting.id, uuid.uuid4()], actor="7", reason="ok"
    )
    assert done == [job.id for job in failed]
    assert all(fresh(job).status == "queued" and fresh(job).error_key == "" for job in failed)
    assert last_event(failed[0]).kind == "redriven"
    assert (last_event(failed[0]).actor, last_event(failed[0]).data) == ("7", {"reason": "ok"})
    refused("request.invalid", services.jobs_redrive, job_ids=[uuid.uuid4()] * 1001, actor="7", reason="")


def test_a_group_of_errors_is_redriven_by_operators_alone(running, make_user, owner):
    jobs = [running() for _ in range(3)]
    for number, job in enumerate(jobs):
        error = {"code": "x.no", "detail": f"Row {number} is wrong." if number else "Something else."}
        services.job_finish(job_id=job.id, fence=1, status="failed", error=error)
    group = {"error": fresh(jobs[1]).error_key, "period": "", "reason": "r"}
    refused("auth.forbidden", operating.group_run_again, actor=owner, **group)
    assert operating.group_run_again(actor=make_user("operator"), **group) == 2
    assert [fresh(job).status for job in jobs] == ["failed", "queued", "queued"]


@pytest.mark.django_db(transaction=True)
def test_the_workers_are_told_after_the_commit(running):
    job = running()
    with redis.Redis.from_url(environment().redis_url) as client, client.pubsub() as heard:
        heard.subscribe(CANCEL_CHANNEL)
        heard.get_message(timeout=2)
        services.job_cancel(job_id=job.id, actor="me")
        message = heard.get_message(timeout=2)
    assert message is not None and message["data"] == str(job.id).encode()


@pytest.mark.django_db(transaction=True)
def test_cancel_and_finish_at_the_same_moment_never_both_win(enqueue):
    ends = []
    for _ in range(30):
        job = services.job_claim(job_id=enqueue().id, worker="host:1")
        services.job_cancel(job_id=job.id, actor="me")
        Job.objects.filter(pk=job.pk).update(cancel_requested_at=job.created_at.replace(year=2020))
        start = threading.Barrier(2)
        answers: list[str] = []

        def finish(job=job, start=start, answers=answers):
            start.wait()
            try:
                answers.append(str(services.job_finish(job_id=job.id, fence=1, status="succeeded").status))
            except Problem as problem:
                answers.append(problem.code)
            finally:
                connections.close_all()

        thread = threading.Thread(target=finish)
        thread.start()
        start.wait()
        job_lease_reap()
        thread.join()
        over = [kind for kind in timeline(job) if kind in ("succeeded", "cancelled", "failed")]
        assert over == [fresh(job).status]
        assert answers == [over[0]] if over == ["succeeded"] else answers == ["jobs.stale_fence"]
        ends.append(over[0])
    assert ends
    connection.close()
