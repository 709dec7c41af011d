"""The doors of the lab: both sides work on the same kind of table, alone, fenced, and in slices."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from django.db import connection
from ochaq_shared.problems import Problem
from ochaq_web.core.locks import advisory_lock
from ochaq_web.jobs import services as jobs
from ochaq_web.lab import services
from ochaq_web.lab.models import LabStudent

COLUMNS = """
SELECT column_name, data_type, character_maximum_length, is_nullable, column_default, is_identity, collation_name
FROM information_schema.columns WHERE table_name = %s AND table_schema = current_schema() ORDER BY ordinal_position
"""
INDEXES = "SELECT indexdef FROM pg_indexes WHERE tablename = %s AND schemaname = current_schema() ORDER BY indexdef"
CHECKS = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = %s::regclass ORDER BY 1"
OPTIONS = "SELECT reloptions FROM pg_class WHERE oid = %s::regclass"


@pytest.fixture
def lap(make_user: Any) -> Any:
    """lap() → how a claimed lap's worker names itself."""
    owner = make_user("manager")

    def make(kind: str = "lab.naive") -> dict[str, Any]:
        params = {"rows": 100, "round": 1, "race": "r"}
        job = jobs.job_enqueue(kind=kind, params=params, owner=owner)
        return {"job_id": job.id, "fence": jobs.job_claim(job_id=job.id, worker="h:1").fence}

    return make


def described(table: str) -> list[list[tuple[str, ...]]]:
    """A table's shape as PostgreSQL tells it, under the name of the real one."""
    found = []
    with connection.cursor() as cursor:
        for question in (COLUMNS, INDEXES, CHECKS, OPTIONS):
            cursor.execute(question, (table,))
            rows = cursor.fetchall()
            found.append(sorted(tuple(str(part).replace("lab_student", "student") for part in row) for row in rows))
    return found


def batch(count: int) -> bytes:
    person = {"first_name": "Ali", "last_name": "Can", "age": 20}
    rows = ({**person, "email": f"s{number}@example.com"} for number in range(count))
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def refused(code: str, call: Any, **arguments: Any) -> None:
    with pytest.raises(Problem) as caught:
        call(**arguments)
    assert caught.value.code == code


@pytest.mark.django_db
def test_the_labs_table_is_the_students_table_in_everything_but_its_name() -> None:
    ours, theirs = described("lab_student"), described("student")
    assert ours == theirs
    assert len(theirs[0]) == 9 and len(theirs[1]) == 4


@pytest.mark.django_db
def test_the_naive_lap_makes_real_rows_one_by_one_and_removes_them(lap: Any) -> None:
    mine = lap()
    services.lap_clear(**mine)
    made = services.rows_save(**mine, have=0, rows=30)
    assert made.rows == 30 == services.lap_count(**mine) and made.seconds > 0
    people = list(LabStudent.objects.all())
    assert len({row.first_name for row in people}) > 5, "Faker names them"
    assert all(15 <= row.age <= 70 and "@" in row.email and row.demo for row in people)
    gone = services.rows_delete(**mine, have=30)
    assert gone.rows == 0 == services.lap_count(**mine) and gone.seconds > 0


@pytest.mark.django_db
def test_our_lap_makes_as_many_rows_at_once_and_removes_them(lap: Any) -> None:
    mine = lap("lab.ours")
    services.lap_clear(**mine)
    assert services.batch_copy(**mine, have=0, body=batch(30)) == 30 == services.lap_count(**mine)
    assert list(LabStudent.objects.values_list("id", flat=True)) == list(range(1, 31))
    assert services.rows_purge(**mine) == 30
    assert services.lap_count(**mine) == 0


@pytest.mark.django_db
def test_the_naive_lap_works_in_slices_that_end_soon(lap: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(services, "SLICE_SECONDS", 0.02)
    mine, have, calls = lap(), 0, 0
    services.lap_clear(**mine)
    while have < 200:
        found = services.rows_save(**mine, have=have, rows=200)
        assert found.rows > have and found.seconds < 1
        have, calls = found.rows, calls + 1
    assert calls > 1
    while have:
        have = services.rows_delete(**mine, have=have).rows


@pytest.mark.django_db
def test_a_call_that_was_carried_out_twice_is_told_so(lap: Any) -> None:
    mine = lap()
    services.lap_clear(**mine)
    services.rows_save(**mine, have=0, rows=5)
    refused("lab.disturbed", services.rows_save, **mine, have=0, rows=5)
    refused("lab.disturbed", services.rows_delete, **mine, have=4)
    refused("lab.disturbed", services.batch_copy, **mine, have=0, body=batch(3))
    assert services.lap_count(**mine) == 5


@pytest.mark.django_db
@pytest.mark.parametrize("word", ["lap_clear", "lap_count", "rows_purge", "rows_save", "rows_delete", "batch_copy"])
def test_a_stale_fence_moves_nothing(lap: Any, word: str) -> None:
    mine = lap()
    services.lap_clear(**mine)
    services.rows_save(**mine, have=0, rows=3)
    more = {
        "rows_save": {"have": 3, "rows": 9},
        "rows_delete": {"have": 3},
        "batch_copy": {"have": 3, "body": batch(1)},
    }
    refused("jobs.stale_fence", getattr(services, word), job_id=mine["job_id"], fence=9, **more.get(word, {}))
    assert LabStudent.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_two_laps_are_never_on_the_table_at_once(lap: Any) -> None:
    mine, answers = lap(), []
    services.lap_clear(**mine)

    def other() -> None:
        with advisory_lock("lab") as held:
            answers.append(held)
            started.set()
            done.wait(10)
        connection.close()

    started, done = threading.Event(), threading.Event()
    thread = threading.Thread(target=other)
    thread.start()
    try:
        assert started.wait(10) and answers == [True]
        refused("unavailable", services.rows_save, **mine, have=0, rows=3)
    finally:
        done.set()
        thread.join(10)
    assert services.rows_save(**mine, have=0, rows=3).rows == 3


@pytest.mark.django_db
def test_the_doors_speak_the_agreed_shapes_and_to_services_only(lap: Any, service_client: Any, api: Any) -> None:
    mine, worker = lap(), service_client("worker")
    held = {"job": str(mine["job_id"]), "fence": mine["fence"]}

    def post(word: str, client: Any = worker, **more: Any) -> Any:
        return client.post(f"/internal/v1/lab/{word}", {**held, **more}, format="json")

    assert post("clear").json() == {"rows": 0}
    assert set(post("save", have=0, rows=4).json()) == {"rows", "seconds"}
    assert post("count").json() == {"rows": 4}
    assert post("delete", have=4).json()["rows"] == 0
    path = f"/internal/v1/lab/batches?job={held['job']}&fence={held['fence']}&have=0"
    assert worker.generic("POST", path, batch(3), content_type="application/json").status_code == 415
    assert worker.generic("POST", path, batch(3), content_type="application/x-ndjson").json() == {"rows": 3}
    assert post("purges").json() == {"rows": 3}
    for word, wrong in (
        ("save", {"have": 0}),
        ("save", {"have": -1, "rows": 4}),
        ("save", {"have": 0, "rows": 2001}),
        ("delete", {}),
        ("count", {"job": "x"}),
        ("clear", {"more": 1}),
    ):
        assert post(word, **wrong).status_code == 422, (word, wrong)
    for word in ("clear", "save", "delete", "count", "purges", "batches"):
        assert post(word, client=api("manager")).status_code in (401, 403)
        assert post(word, client=api()).status_code == 401
