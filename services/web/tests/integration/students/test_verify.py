"""Zulip's verify_action for students: the table and the search index that followed events are the ones made anew.

The events come from web's own rules, the rows from web's own stream, the index is the search service's real one.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from event_reducers import STUDENT_FIELDS, Stale, State, held, reduced, students
from ochaq_search.changes import Changes
from ochaq_search.engines.tantivy.engine import TantivyEngine
from ochaq_search.sources import WebStudents
from ochaq_shared.events import CloudEvent

pytestmark = pytest.mark.django_db

WRITER_BYTES = 15_000_000
SAME = "Everyone"


@dataclass
class Doors:
    """`InternalClient.stream_lines` over Django's own test client: the same view, the same bytes."""

    service: Any

    def stream_lines(self, path: str, params: dict[str, int]) -> Iterator[bytes]:
        answer = self.service.get(path, params)
        assert answer.status_code == 200
        yield from answer.getvalue().splitlines()


@dataclass
class School:
    """Somebody looking at the students, the indexer, and a worker."""

    manager: Any
    worker: Any
    source: WebStudents
    directory: Path
    engine: TantivyEngine
    writer: Any
    at: int = 0
    indexes: int = 0

    def fetched(self) -> State:
        return held(self.manager.get("/api/v1/students/", {"limit": 200}).json()["results"], STUDENT_FIELDS)

    def told(self) -> list[CloudEvent]:
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT id, body::text FROM outbox WHERE id > %s AND type LIKE 'ochaq.students.%%' ORDER BY id",
                (self.at,),
            )
            rows = cursor.fetchall()
        self.at = rows[-1][0] if rows else self.at
        return [CloudEvent.parse(body) for _, body in rows]

    def rebuilt(self) -> list[tuple[Any, ...]]:
        """What an index made of the whole stream holds."""
        self.indexes += 1
        engine = TantivyEngine(self.directory / str(self.indexes), writer_bytes=WRITER_BYTES)
        building = engine.building()
        building.put(self.source.students())
        building.commit()
        engine.publish(building)
        building.close()
        return content(engine)

    def follow(self, events: list[CloudEvent]) -> None:
        """What the indexer does about events."""
        Changes.of(event.fact() for event in events).write(self.writer, self.source)
        self.writer.commit()

    def verify(self, action: Callable[[], Any]) -> Any:
        """Do something; then table and index that follow its events are compared with fresh ones."""
        self.follow(self.told())
        before = self.fetched()
        answer = action()
        events, after = self.told(), self.fetched()
        assert events, "nobody would know"
        try:
            assert reduced(students, before, [(event.name, event.data) for event in events]) == after
        except Stale:
            assert any(event.name == "students.batch.created" for event in events)
        for _ in range(2):
            self.follow(events)
            assert content(self.engine) == self.rebuilt()
        return answer

    def enrol(self, name: str) -> str:
        body = {"first_name": name, "last_name": SAME, "email": f"{name}@example.com".lower(), "age": 20}
        answer = self.manager.post("/api/v1/students/", body, format="json")
        assert answer.status_code == 201, answer.content
        return f"/api/v1/students/{answer.json()['id']}/"

    def job(self, kind: str = "students.generate", **params: Any) -> tuple[str, int]:
        body = {"kind": kind, "params": params}
        job = self.manager.post("/api/v1/jobs/", body, format="json").json()["id"]
        claimed = self.worker.post(f"/internal/v1/jobs/{job}/claim", {"worker": "h:1"}, format="json").json()
        return job, claimed["fence"]

    def batch(self, job: str, fence: int, chunk: int, size: int = 5) -> None:
        rows = (
            {"first_name": "Demo", "last_name": SAME, "email": f"d{chunk}.{n}@example.com", "age": 20}
            for n in range(size)
        )
        body = b"".join(json.dumps(row).encode() + b"\n" for row in rows)
        path = f"/internal/v1/students/batches?job={job}&fence={fence}&chunk={chunk}"
        answer = self.worker.generic("POST", path, body, content_type="application/x-ndjson")
        assert answer.status_code == 200, answer.content

    def purge(self, job: str, fence: int) -> None:
        path = "/internal/v1/students/purges"
        assert self.worker.post(path, {"job": job, "fence": fence}, format="json").json()["done"]

    def finish(self, job: str, fence: int) -> None:
        body = {"fence": fence, "status": "succeeded"}
        assert self.worker.post(f"/internal/v1/jobs/{job}/finish", body, format="json").status_code == 200


def content(engine: TantivyEngine) -> list[tuple[Any, ...]]:
    """Everything an index holds; as a list, because nobody may be there twice."""
    reader = engine.reader()
    reader.refresh()
    hits = reader.search(SAME.lower(), limit=200, offset=0).hits
    return sorted((hit.id, hit.first_name, hit.last_name, hit.email) for hit in hits)


@pytest.fixture
def school(api: Any, service_client: Any, tmp_path: Path) -> Iterator[School]:
    engine = TantivyEngine(tmp_path / "followed", writer_bytes=WRITER_BYTES)
    writer = engine.building()
    writer.commit()
    engine.publish(writer)
    source = WebStudents(Doors(service_client("search")))  # type: ignore[arg-type]
    yield School(api("manager"), service_client("worker"), source, tmp_path, engine, writer)
    writer.close()


def test_students_who_come_change_and_go_are_followed(school: School) -> None:
    first = school.verify(lambda: school.enrol("Madina"))
    school.verify(lambda: school.enrol("Yulduz"))
    school.verify(lambda: school.manager.patch(first, {"first_name": "Madinabonu", "age": 33}, format="json"))
    school.verify(lambda: school.manager.put(first, {**_body(school, first), "email": "m@example.com"}, format="json"))
    school.verify(lambda: school.manager.delete(first))
    assert [row["first_name"] for row in school.fetched().values()] == ["Yulduz"]


def _body(school: School, path: str) -> dict[str, Any]:
    found = school.manager.get(path).json()
    return {name: found[name] for name in ("first_name", "last_name", "email", "age")}


def test_batches_that_come_and_go_are_followed_and_spare_the_real_ones(school: School) -> None:
    school.enrol("Madina")
    job, fence = school.job(count=10)
    for chunk in range(2):
        school.verify(lambda number=chunk: school.batch(job, fence, number))
    school.finish(job, fence)
    school.verify(lambda: school.enrol("Yulduz"))
    assert len(school.fetched()) == 12
    purge, fence = school.job("students.purge")
    school.verify(lambda: school.purge(purge, fence))
    assert {row["first_name"] for row in school.fetched().values()} == {"Madina", "Yulduz"}


def test_demo_students_that_are_changed_before_they_are_replaced_are_followed(school: School) -> None:
    job, fence = school.job(count=5)
    school.verify(lambda: school.batch(job, fence, 0))
    school.finish(job, fence)
    path = f"/api/v1/students/{min(school.fetched())}/"
    school.verify(lambda: school.manager.patch(path, {"first_name": "Renamed"}, format="json"))
    job, fence = school.job(count=5, replace=True)

    def replaced() -> None:
        school.purge(job, fence)
        school.batch(job, fence, 1)

    school.verify(replaced)
    assert {row["first_name"] for row in school.fetched().values()} == {"Demo"}
