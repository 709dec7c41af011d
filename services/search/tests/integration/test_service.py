"""The search service as it runs: events in, answers out."""

from __future__ import annotations

import shutil
import signal
import time
from collections.abc import Callable
from contextlib import closing
from typing import TYPE_CHECKING, Any

from ochaq_shared.bus.connection import connect
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.search import IndexRebuilt
from ochaq_shared.events.students import StudentChanged, StudentRemoved, StudentsBatchCreated, StudentsBatchRemoved
from ochaq_shared.ids import uuid7
from ochaq_shared.outbox import EVENTS_EXCHANGE

if TYPE_CHECKING:
    from conftest import Campus


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return value


def batch(campus: Campus, start: int, count: int) -> StudentsBatchCreated:
    """`count` demo students from `start` above the test's base, and the fact that tells of them."""
    first_id = campus.base + start
    campus.web.add(first_id, *[("Demo", campus.word)] * count)
    return StudentsBatchCreated(first_id=first_id, last_id=first_id + count - 1, count=count, job_id=uuid7())


def test_an_empty_disk_becomes_an_index_of_what_web_has(campus: Campus) -> None:
    campus.web.add(1, ("Gülşen", "Öz"), ("Oʻtkir", "Karimov"), ("Жасур", "Каримов"))
    campus.start("index", "serve")
    campus.ready("index")
    campus.ready("serve")
    assert campus.found("gulsne") == ["Gülşen Öz"]
    assert campus.found("otkir") == ["Oʻtkir Karimov"]
    assert campus.found("jasur") == ["Жасур Каримов"]
    assert campus.kill("index", signal.SIGTERM) == 0
    assert campus.kill("serve", signal.SIGTERM) == 0


def test_a_batch_is_one_pull_and_a_removal_of_demo_students_leaves_the_real_ones(running: Campus) -> None:
    created = batch(running, 10, 500)
    running.publish(created)
    until(lambda: running.count() == 503)
    asked = {"after_id": str(created.first_id - 1), "until_id": str(created.last_id)}
    assert running.web.streams == [asked]
    for number in range(created.first_id, created.last_id + 1):
        del running.web.students[number]
    running.publish(StudentsBatchRemoved(up_to_id=created.last_id, count=500, job_id=uuid7()))
    until(lambda: running.count() == 3)
    # The broker may deliver the creation again after that; the source has no such rows any more.
    running.publish(created)
    until(lambda: len(running.web.streams) == 2)
    time.sleep(0.2)
    assert running.count() == 3


def test_one_student_appears_changes_and_goes(running: Campus) -> None:
    number = running.base + 7
    running.web.add(number, ("Madina", running.word), demo=False)
    created = running.fact(number)
    running.publish(created, subject=f"student:{number}")
    until(lambda: running.count() == 4)
    changed = StudentChanged(**{**created.model_dump(), "first_name": "Yulduz", "version": 3})
    running.publish(changed, changed, created, subject=f"student:{number}")
    until(lambda: f"Yulduz {running.word}" in running.found(running.word))
    late = StudentChanged(**{**created.model_dump(), "version": 2})
    running.publish(StudentRemoved(id=number), late, subject=f"student:{number}")
    until(lambda: running.count() == 3)
    time.sleep(0.2)
    assert running.count() == 3


def test_a_web_that_is_away_delays_a_batch_and_loses_nothing(running: Campus) -> None:
    running.web.down = True
    running.publish(batch(running, 10, 20))
    time.sleep(1.5)
    assert running.count() == 3
    running.web.down = False
    until(lambda: running.count() == 23)


def test_a_stream_that_ends_politely_in_the_middle_is_asked_for_again(running: Campus) -> None:
    fact = batch(running, 100, 40)
    running.web.torn = 2
    running.publish(fact, subject="students")
    until(lambda: running.count() == 43)
    assert len(running.web.streams) == 3
    for number in range(fact.first_id, fact.last_id + 1):
        del running.web.students[number]


def test_a_name_may_hold_what_unicode_calls_an_end_of_line(running: Campus) -> None:
    fact = batch(running, 200, 2)
    running.web.students[fact.first_id]["first_name"] = "Two\u2028lines\x85"
    running.publish(fact, subject="students")
    until(lambda: running.count() == 5)
    for number in range(fact.first_id, fact.last_id + 1):
        del running.web.students[number]


def test_a_killed_indexer_catches_up_with_what_it_had_not_acknowledged(running: Campus) -> None:
    for start in range(1000, 4000, 500):
        running.publish(batch(running, start, 500))
    time.sleep(0.1)
    running.kill("index")
    running.start("index")
    until(lambda: running.count() == 3003, 40)
    running.ready("index")


def test_a_deleted_index_comes_back_by_itself_and_queries_go_on(running: Campus) -> None:
    shutil.rmtree(running.index_dir)
    statuses = set()

    def rebuilt() -> bool:
        statuses.add(running.get("/api/v1/search/students", "manager", q=running.word).status_code)
        return bool(list(running.index_dir.glob("students-*/meta.json"))) and running.status("index") == 200

    until(rebuilt)
    assert statuses == {200}
    running.web.add(running.base + 50, ("Fresh", running.word), demo=False)
    running.publish(running.fact(running.base + 50), subject=f"student:{running.base + 50}")
    until(lambda: running.count() == 4)


def test_a_rebuild_job_swaps_the_index_while_queries_and_events_go_on(running: Campus) -> None:
    job_id, number = uuid7(), running.base + 30
    job = running.new_job(job_id)
    before = {path.name for path in running.index_dir.glob("students-*")}
    # Drift that only a rebuild can mend: a row the index never heard of.
    running.web.add(running.base + 20, ("Missed", running.word), demo=False)
    running.web.pause.clear()
    running.command({"job_id": job_id})
    until(lambda: job["status"] == "running" and running.web.streams)
    running.web.add(number, ("Meanwhile", running.word), demo=False)
    running.publish(running.fact(number), subject=f"student:{number}")
    until(lambda: running.count() == 4)
    del running.web.students[number], running.web.students[running.base + 1]
    for gone in (running.base + 1, number):
        running.publish(StudentRemoved(id=gone), subject=f"student:{gone}")
    until(lambda: running.count() == 2)
    running.web.pause.set()
    until(lambda: job["status"] == "succeeded")
    assert job["result"]["documents"] == len(running.web.students)
    assert job["result"]["index"] not in before
    until(lambda: running.count() == 3)
    names = {"Missed", "Oʻtkir", "Жасур"}
    assert {name.partition(" ")[0] for name in running.found(running.word)} == names
    assert running.status("serve") == running.status("index") == 200


def test_a_swap_is_announced_on_the_bus(running: Campus) -> None:
    with closing(connect(running.environment["OCHAQ_AMQP_URL"])) as connection:
        channel = connection.channel()
        queue = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(queue, EVENTS_EXCHANGE, "ochaq.search.index.#")
        job_id = uuid7()
        job = running.new_job(job_id)
        running.command({"job_id": job_id})

        def announced() -> Any:
            message = channel.basic_get(queue, no_ack=True)
            event = CloudEvent.parse(message.body) if message else None
            # The announcement of an earlier test's rebuild may still be on its way.
            return event if event and event.data["job_id"] == job_id else None

        event = until(announced)
    assert event.fact() == IndexRebuilt(**job["result"], job_id=job_id)


def test_a_rebuild_job_that_is_cancelled_leaves_the_live_index(running: Campus) -> None:
    batch(running, 100, 12_000)
    job_id = uuid7()
    job = running.new_job(job_id)
    job["cancel"] = True
    before = running.found(running.word)
    running.web.pause.clear()
    running.command({"job_id": job_id})
    until(lambda: job["beats"] >= 1)
    running.web.pause.set()
    until(lambda: job["status"] == "cancelled")
    assert running.found(running.word) == before
    for number in range(running.base + 100, running.base + 12_100):
        del running.web.students[number]


def test_a_rebuild_job_outlives_a_web_that_breaks_off(running: Campus) -> None:
    job_id = uuid7()
    job = running.new_job(job_id)
    running.web.breaks = 1
    running.command({"job_id": job_id})
    until(lambda: job["status"] == "succeeded")
    assert len(running.web.streams) == 2
    assert running.count() == 3


def test_a_command_for_a_job_that_is_over_or_unknown_does_nothing(running: Campus) -> None:
    over = uuid7()
    running.new_job(over)["status"] = "succeeded"
    running.command({"job_id": over})
    running.command({"job_id": uuid7()})
    running.command({"nonsense": True})
    time.sleep(0.5)
    assert running.web.streams == []
    assert running.status("index") == 200


def test_without_an_index_serve_answers_with_a_problem(campus: Campus) -> None:
    campus.start("serve")
    until(lambda: campus.status("serve") == 503)
    answer = campus.get("/api/v1/search/students", "manager", q="ann")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "search.index_missing"
    campus.web.add(1, ("Ann", "Lee"))
    campus.start("index")
    campus.ready("serve")
    assert campus.found("ann") == ["Ann Lee"]


def test_who_may_search(running: Campus) -> None:
    for path in ("/api/v1/search/students?q=ann", "/students/search/ann", "/students/test/search/ann"):
        assert running.get(path).status_code == 401
        assert running.get(path, "student", "customer", "operator").status_code == 403
        assert running.get(path, "instructor").status_code == 200
        assert running.get(path, "manager").status_code == 200


def test_a_misspelt_setting_stops_the_start_with_its_name(campus: Campus) -> None:
    campus.environment["OCHAQ_SEARCH_ENGINE"] = "tantivi"
    campus.start("serve")
    assert campus.processes["serve"].wait(20) == 2
    log = (campus.index_dir.parent / "serve.log").read_text()
    assert "OCHAQ_SEARCH_ENGINE" in log
    assert "'tantivy' or 'elasticsearch'" in log
