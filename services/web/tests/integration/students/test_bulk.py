"""Batches in, purges out, and the stream: what the worker and the indexer use."""

from __future__ import annotations

import json
import threading

import pytest
from django.db import connection
from ochaq_shared.problems import Problem
from ochaq_web.jobs import services as jobs
from ochaq_web.students import batches, purges, services, stream
from ochaq_web.students.models import Student


def rows(count, start=0, **over):
    ali = {"first_name": "Ali", "last_name": "Can", "age": 20}
    people = ({**ali, "email": f"s{n}@example.com", **over} for n in range(start, start + count))
    return b"".join(json.dumps(person).encode() + b"\n" for person in people)


@pytest.fixture
def running(make_user):
    def make(kind="students.generate", params=None):
        job = jobs.job_enqueue(kind=kind, params=params or {}, owner=make_user("manager"))
        return jobs.job_claim(job_id=job.id, worker="h:1")

    return make


def store(job, chunk, body, fence=None):
    return batches.student_batch_create(job_id=job.id, fence=fence or job.fence, chunk=chunk, body=body)


def facts():
    with connection.cursor() as cursor:
        cursor.execute("SELECT body::text, version FROM outbox WHERE type LIKE 'ochaq.students.batch%' ORDER BY id")
        return [(json.loads(body)["data"], version) for body, version in cursor.fetchall()]


@pytest.mark.django_db
class TestBatches:
    def test_a_batch_is_one_range_of_demo_students_and_one_fact(self, running):
        job = running()
        stored = store(job, 0, rows(50))
        assert (stored.last_id - stored.first_id + 1, stored.count, stored.replayed) == (50, 50, False)
        assert Student.objects.filter(demo=True, id__range=(stored.first_id, stored.last_id), version=1).count() == 50
        ((data, version),) = facts()
        assert data == {"first_id": stored.first_id, "last_id": stored.last_id, "count": 50, "job_id": str(job.id)}
        store(job, 1, rows(5, start=50))
        assert facts()[1][1] > version

    def test_a_chunk_sent_again_answers_the_same_and_stores_nothing(self, running):
        job = running()
        first = store(job, 0, rows(10))
        again = store(job, 0, rows(10))
        assert again.replayed and (again.first_id, again.last_id, again.count) == (first.first_id, first.last_id, 10)
        assert Student.objects.count() == 10 and len(facts()) == 1
        with pytest.raises(Problem) as caught:
            store(job, 0, rows(9))
        assert caught.value.code == "students.chunk_differs"

    def test_a_stale_fence_stores_nothing(self, running):
        job = running()
        with pytest.raises(Problem) as caught:
            store(job, 0, rows(3), fence=job.fence + 1)
        assert caught.value.code == "jobs.stale_fence" and not Student.objects.exists()
        jobs.job_finish(job_id=job.id, fence=job.fence, status="succeeded")
        with pytest.raises(Problem):
            store(job, 0, rows(3))

    def test_an_address_that_is_taken_gets_another_one_instead_of_failing_the_job(self, running):
        services.student_create(first_name="Real", last_name="One", email="S1@example.com", age=30)
        assert store(running(), 0, rows(3)).count == 3
        found = set(Student.objects.values_list("email", flat=True))
        assert found == {"S1@example.com", "s0@example.com", "s1.2@example.com", "s2@example.com"}

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 422),
            (b"{", 400),
            (b"\xff\xfe\n", 400),
            (b"[1]\n", 422),
            (rows(1, age=14), 422),
            (rows(1, age=True), 422),
            (rows(1, age="20"), 422),
            (rows(1, email="no"), 422),
            (rows(1, email="a b@c.de"), 422),
            (rows(1, first_name=""), 422),
            (rows(1, first_name="a" * 31), 422),
            (rows(1, first_name="a\tb"), 422),
            (rows(1, first_name="a\nb"), 422),
            (rows(1, first_name="\\."), 422),
            (rows(1, first_name="a\x00"), 422),
            (rows(1, extra=1), 422),
            (rows(20_001), 413),
        ],
    )
    def test_a_batch_with_one_wrong_row_is_refused_whole(self, running, body, status):
        with pytest.raises(Problem) as caught:
            store(running(), 0, rows(2) + body if 0 < len(body) < 1000 else body)
        assert caught.value.status == status
        assert not Student.objects.exists() and facts() == []

    def test_the_door_is_for_services_and_reads_ndjson_only(self, running, service_client, api):
        job = running()
        path = f"/internal/v1/students/batches?job={job.id}&fence={job.fence}&chunk=0"
        worker, ndjson = service_client("worker"), {"content_type": "application/x-ndjson"}
        assert worker.generic("POST", path, rows(2), content_type="application/json").status_code == 415
        answer = worker.generic("POST", path, rows(2), **ndjson)
        assert answer.status_code == 200 and set(answer.json()) == {"first_id", "last_id", "count", "replayed"}
        for wrong in ("job=x&fence=1&chunk=0", f"job={job.id}&fence=-1&chunk=0", f"job={job.id}&fence=1", "chunk=1"):
            refused = worker.generic("POST", f"/internal/v1/students/batches?{wrong}", rows(1), **ndjson)
            assert refused.status_code == 422
        assert api("manager").generic("POST", path, rows(2), **ndjson).status_code in (401, 403)


@pytest.mark.django_db
class TestPurges:
    def test_a_purge_removes_demo_students_only_and_tells_up_to_where(self, running):
        real = services.student_create(first_name="Real", last_name="One", email="real@example.com", age=30)
        maker = running()
        stored = store(maker, 0, rows(20))
        jobs.job_finish(job_id=maker.id, fence=1, status="succeeded")
        job = running("students.purge")
        purged = purges.student_demo_purge(job_id=job.id, fence=job.fence)
        assert (purged.removed, purged.done, purged.replayed) == (20, True, False)
        assert list(Student.objects.values_list("id", flat=True)) == [real.id]
        assert facts()[-1][0] == {"up_to_id": stored.last_id, "count": 20, "job_id": str(job.id)}

    def test_a_purge_called_again_answers_the_same_and_spares_what_came_later(self, running):
        job = running()
        purges.student_demo_purge(job_id=job.id, fence=job.fence)
        store(job, 0, rows(5))
        again = purges.student_demo_purge(job_id=job.id, fence=job.fence)
        assert again.replayed and again.removed == 0 and Student.objects.count() == 5

    def test_a_large_purge_works_in_windows_and_counts_them_all(self, running, monkeypatch):
        monkeypatch.setattr(purges, "WINDOW_ROWS", 7)
        monkeypatch.setattr(purges, "CALL_SECONDS", -1)
        maker = running()
        store(maker, 0, rows(20))
        jobs.job_finish(job_id=maker.id, fence=1, status="succeeded")
        job, calls = running(), 0
        while not (purged := purges.student_demo_purge(job_id=job.id, fence=job.fence)).done:
            calls += 1
        assert purged.removed == 20 and calls >= 2 and not Student.objects.exists()
        assert [data["count"] for data, _ in facts()] == [20, 20]

    def test_a_stale_fence_removes_nothing(self, running):
        job = running()
        store(job, 0, rows(5))
        with pytest.raises(Problem):
            purges.student_demo_purge(job_id=job.id, fence=9)
        assert Student.objects.count() == 5


@pytest.mark.django_db
class TestStream:
    def test_every_student_comes_once_in_the_order_of_ids(self, running, service_client, monkeypatch):
        monkeypatch.setattr(stream, "_NEXT", stream._NEXT.replace(str(stream.PAGE), "7"))
        monkeypatch.setattr(stream, "PAGE", 7)
        stored = store(running(), 0, rows(20))
        indexer = service_client("search")
        span = {"after_id": stored.first_id - 1, "until_id": stored.last_id - 1}
        answer = indexer.get("/internal/v1/students/stream", span)
        lines = [json.loads(line) for line in answer.getvalue().splitlines()]
        assert lines.pop() == {"end": 19}
        assert [line["id"] for line in lines] == list(range(stored.first_id, stored.last_id))
        assert set(lines[0]) == {"id", "first_name", "last_name", "email", "age", "demo", "version"}
        assert indexer.get("/internal/v1/students/stream").getvalue().count(b"\n") == 20 + 1
        assert indexer.get("/internal/v1/students/stream?after_id=x").status_code == 422

    def test_users_may_not_read_it(self, api):
        assert api("manager").get("/internal/v1/students/stream").status_code in (401, 403)


@pytest.mark.django_db(transaction=True)
def test_readers_are_not_blocked_while_demo_students_are_replaced(running):
    maker = running()
    store(maker, 0, rows(3000))
    jobs.job_finish(job_id=maker.id, fence=1, status="succeeded")
    job = running()
    from django.db import transaction

    seen = []

    def read():
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '200ms'")
            cursor.execute("SELECT count(*) FROM student")
            seen.append(cursor.fetchone()[0])
        connection.close()

    with transaction.atomic():
        purges._begin(job.id, job.fence)
        purges._remove_window(job.id, job.fence)
        store(job, 0, rows(100, start=5000))
        reader = threading.Thread(target=read)
        reader.start()
        reader.join(5)
    assert seen == [3000]
    assert Student.objects.count() == 100


@pytest.mark.django_db(transaction=True)
def test_the_same_chunk_sent_twice_at_once_is_stored_once(running):
    job, answers = running(), []

    def send():
        answers.append(store(job, 0, rows(500)).replayed)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert sorted(answers) == [False, True, True] and Student.objects.count() == 500


@pytest.mark.django_db
def test_the_demo_school_is_enrolled_once():
    assert services.seed() == 30
    assert services.seed() == 0
    assert not Student.objects.filter(demo=True).exists()
