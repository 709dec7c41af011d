"""The search service as it runs: events in, answers out."""

from __future__ import annotations

import shutil
import signal
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from ochaq_shared.events.students import StudentChanged, StudentRemoved, StudentsBatchCreated, StudentsBatchRemoved

if TYPE_CHECKING:
    from conftest import Campus

JOB = "01920000-0000-7000-8000-000000000000"


def until(condition, seconds=20):  # type: ignore[no-untyped-def]
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return value


@pytest.fixture
def running(campus: Campus) -> Campus:
    """Three students, indexed by the service itself from nothing."""
    campus.web.add(1, [("Gülşen", "Everyone"), ("Oʻtkir", "Everyone"), ("Жасур", "Everyone")], demo=False)
    campus.start("index", "serve")
    campus.ready("index")
    campus.ready("serve")
    until(lambda: campus.count() == 3)
    return campus


def test_an_empty_disk_becomes_an_index_of_what_web_has(running: Campus) -> None:
    assert running.found("gulsne") == ["Gülşen Everyone"]
    assert running.found("otkir") == ["Oʻtkir Everyone"]
    assert running.found("jasur") == ["Жасур Everyone"]


def test_a_batch_is_one_pull_and_a_removal_of_demo_students_leaves_the_real_ones(running: Campus) -> None:
    running.web.streams.clear()
    running.web.add(10, [("Demo", "Everyone")] * 500)
    running.publish(StudentsBatchCreated(first_id=10, last_id=509, count=500, job_id=JOB))
    until(lambda: running.count() == 503)
    assert running.web.streams == [{"after_id": "9", "until_id": "509"}]
    for number in range(10, 510):
        del running.web.students[number]
    running.publish(StudentsBatchRemoved(up_to_id=509, count=500, job_id=JOB))
    until(lambda: running.count() == 3)
    # The broker may deliver the creation again after that; the source has no such rows any more.
    running.publish(StudentsBatchCreated(first_id=10, last_id=509, count=500, job_id=JOB))
    until(lambda: len(running.web.streams) == 2)
    time.sleep(0.2)
    assert running.count() == 3


def test_one_student_appears_changes_and_goes(running: Campus) -> None:
    running.web.add(7, [("Madina", "Karimova")], demo=False)
    created = running.fact(7)
    running.publish(created, subject="student:7")
    until(lambda: running.found("madnia") == ["Madina Karimova"])
    data = created.model_dump()
    changed = StudentChanged(**{**data, "last_name": "Yusupova", "version": 3})
    running.publish(changed, changed, created, subject="student:7")
    until(lambda: running.found("yusupova") == ["Madina Yusupova"])
    running.publish(StudentRemoved(id=7), StudentChanged(**{**data, "version": 2}), subject="student:7")
    until(lambda: running.found("madina") == [])
    time.sleep(0.2)
    assert running.found("madina") == []


def test_a_web_that_is_away_delays_a_batch_and_loses_nothing(running: Campus) -> None:
    running.web.down = True
    running.web.add(10, [("Late", "Everyone")] * 20)
    running.publish(StudentsBatchCreated(first_id=10, last_id=29, count=20, job_id=JOB))
    time.sleep(1.5)
    assert running.count() == 3
    running.web.down = False
    until(lambda: running.count() == 23)


def test_a_killed_indexer_catches_up_with_what_it_had_not_acknowledged(running: Campus) -> None:
    running.web.add(1000, [("Demo", "Everyone")] * 3000)
    for first in range(1000, 4000, 500):
        running.publish(StudentsBatchCreated(first_id=first, last_id=first + 499, count=500, job_id=JOB))
    time.sleep(0.15)
    running.kill("index")
    running.start("index")
    until(lambda: running.count() == 3003, 30)
    running.ready("index")


def test_sigterm_ends_both_processes_well(running: Campus) -> None:
    assert running.kill("index", signal.SIGTERM) == 0
    assert running.kill("serve", signal.SIGTERM) == 0


def test_a_deleted_index_comes_back_by_itself_and_queries_go_on(running: Campus) -> None:
    shutil.rmtree(running.index_dir)
    statuses = set()

    def rebuilt() -> bool:
        statuses.add(running.get("/api/v1/search/students", "manager", q="everyone").status_code)
        return bool(list(running.index_dir.glob("students-*/meta.json"))) and running.status("index") == 200

    until(rebuilt)
    assert statuses == {200}
    running.web.add(50, [("Fresh", "Everyone")], demo=False)
    running.publish(running.fact(50), subject="student:50")
    until(lambda: running.count() == 4)


def test_without_an_index_serve_answers_with_a_problem(campus: Campus) -> None:
    campus.start("serve")
    until(lambda: campus.status("serve") == 503)
    answer = campus.get("/api/v1/search/students", "manager", q="ann")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "search.index_missing"
    campus.web.add(1, [("Ann", "Everyone")])
    campus.start("index")
    campus.ready("serve")
    assert campus.found("ann") == ["Ann Everyone"]


def test_a_rebuild_job_swaps_the_index_while_queries_and_events_go_on(running: Campus) -> None:
    job = running.new_job(JOB)
    before = {path.name for path in running.index_dir.glob("students-*")}
    # Drift that only a rebuild can mend: a row the index never heard of.
    running.web.add(20, [("Missed", "Everyone")], demo=False)
    running.web.pause.clear()
    running.command({"job_id": JOB})
    until(lambda: job["status"] == "running")
    until(lambda: len(running.web.streams) == 2)
    running.web.add(30, [("Meanwhile", "Everyone")], demo=False)
    running.publish(running.fact(30), subject="student:30")
    until(lambda: running.found("meanwhile") == ["Meanwhile Everyone"])
    del running.web.students[30], running.web.students[1]
    running.publish(StudentRemoved(id=1), subject="student:1")
    running.publish(StudentRemoved(id=30), subject="student:30")
    until(lambda: running.count() == 2)
    running.web.pause.set()
    until(lambda: job["status"] == "succeeded")
    assert job["result"]["documents"] == 3
    assert job["result"]["index"] not in before
    until(lambda: running.found("everyone") and running.count() == 3)
    assert running.found("missed") == ["Missed Everyone"]
    assert running.found("gulsen") == []
    assert running.status("serve") == running.status("index") == 200


def test_a_rebuild_job_that_is_cancelled_leaves_the_live_index(running: Campus) -> None:
    running.web.add(100, [("Demo", "Nobody")] * 12_000)
    job = running.new_job(JOB)
    job["cancel"] = True
    running.web.pause.clear()
    running.command({"job_id": JOB})
    until(lambda: job["beats"] >= 1)
    running.web.pause.set()
    until(lambda: job["status"] == "cancelled")
    assert running.count() == 3
    until(lambda: len(list(running.index_dir.glob("students-*"))) == 1)


def test_a_command_for_a_job_that_is_over_or_unknown_does_nothing(running: Campus) -> None:
    running.new_job(JOB)["status"] = "succeeded"
    running.command({"job_id": JOB})
    running.command({"job_id": "01920000-0000-7000-8000-00000000dead"})
    time.sleep(0.5)
    assert len(list(running.index_dir.glob("students-*"))) == 1
    assert running.status("index") == 200


def test_who_may_search(running: Campus) -> None:
    for path in ("/api/v1/search/students?q=ann", "/students/search/ann", "/students/test/search/ann"):
        assert running.get(path).status_code == 401
        assert running.get(path, "student", "customer", "operator").status_code == 403
        assert running.get(path, "instructor").status_code == 200
        assert running.get(path, "manager").status_code == 200
    url = f"http://127.0.0.1:{running.ports['serve']}/api/v1/search/students?q=ann"
    wrong = httpx.get(url, headers={"Authorization": "Bearer x.y.z"}, trust_env=False)
    assert wrong.status_code == 401
    assert wrong.json()["code"] == "auth.invalid_token"
