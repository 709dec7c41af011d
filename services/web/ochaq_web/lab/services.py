"""What one lap of a race does to the lab's table: row by row as the lessons do it, or in bulk as this house does.

A lap may be stopped anywhere, so the naive one works in slices that no request waits long for. Whoever holds the lock
is alone on the table, and every call names the job's fence and the rows it expects: a lap that was disturbed (a call
that was answered into the void and came again, a worker that woke up late) is told so and begins anew.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.db import connection, transaction
from ochaq_shared.problems import Problem
from psycopg.errors import UniqueViolation

from ochaq_web.core.locks import advisory_lock
from ochaq_web.jobs import services as jobs
from ochaq_web.lab.models import LabStudent
from ochaq_web.lab.problems import DISTURBED
from ochaq_web.students import services as students

SLICE_SECONDS = 0.8
AGES = (15, 70)

_COPY = "COPY lab_student (id, first_name, last_name, email, age, demo) FROM STDIN"
_RESERVE = "SELECT min(id) FROM (SELECT nextval('lab_student_id_seq') AS id FROM generate_series(1, %s)) AS ids"


@dataclass(frozen=True)
class Slice:
    """The rows there are now, and the seconds that the loop alone took."""

    rows: int
    seconds: float


def lap_clear(*, job_id: uuid.UUID, fence: int) -> None:
    """An empty table with small indexes: what every lap begins on."""
    with _alone(job_id, fence), connection.cursor() as cursor:
        cursor.execute("TRUNCATE lab_student RESTART IDENTITY")


def lap_count(*, job_id: uuid.UUID, fence: int) -> int:
    """The rows there are."""
    with _alone(job_id, fence):
        return LabStudent.objects.count()


def rows_save(*, job_id: uuid.UUID, fence: int, have: int, rows: int) -> Slice:
    """The lessons' loop: a person from Faker, `save()`, each in a transaction of its own. One slice of it."""
    faker = _faker()
    with _alone(job_id, fence, have):
        began, number = time.perf_counter(), have
        while number < rows and time.perf_counter() - began < SLICE_SECONDS:
            # Faker repeats addresses within some thousand rows; the number keeps them unique as ours are.
            LabStudent(
                first_name=faker.first_name(),
                last_name=faker.last_name(),
                email=f"{number}.{faker.email()}",
                age=faker.random_int(*AGES),
                demo=True,
            ).save()
            number += 1
        return Slice(number, time.perf_counter() - began)


def rows_delete(*, job_id: uuid.UUID, fence: int, have: int) -> Slice:
    """The other half: each row is read and deleted. One slice of it."""
    with _alone(job_id, fence, have):
        ids = list(LabStudent.objects.values_list("pk", flat=True))
        began, left = time.perf_counter(), have
        for one in ids:
            if time.perf_counter() - began >= SLICE_SECONDS:
                break
            LabStudent.objects.get(pk=one).delete()
            left -= 1
        return Slice(left, time.perf_counter() - began)


def batch_copy(*, job_id: uuid.UUID, fence: int, have: int, body: bytes) -> int:
    """Our way in: the rows of an NDJSON body, checked as every batch is, by one COPY. Answers how many."""
    lines = students.batch_lines(body)
    with _alone(job_id, fence, have), transaction.atomic():
        jobs.job_hold(job_id=job_id, fence=fence)
        with connection.cursor() as cursor:
            cursor.execute(_RESERVE, (len(lines),))
            first = cursor.fetchone()[0]
        text = "".join([f"{number}{line}" for number, line in enumerate(lines, first)])
        try:
            with connection.connection.cursor() as raw, raw.copy(_COPY) as copy:
                copy.write(text)
        except UniqueViolation:
            raise Problem(DISTURBED) from None
    return len(lines)


def rows_purge(*, job_id: uuid.UUID, fence: int) -> int:
    """Our way out: one DELETE. Answers how many rows are gone."""
    with _alone(job_id, fence), transaction.atomic():
        jobs.job_hold(job_id=job_id, fence=fence)
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM lab_student")
            return int(cursor.rowcount)


@contextmanager
def _alone(job_id: uuid.UUID, fence: int, have: int | None = None) -> Iterator[None]:
    """The table for ourselves, as the holder of the job. What is timed happens inside, what guards it does not.

    The fence is asked for before the work and not held through it: one transaction around the naive loop would spare
    it the commits that are its cost. A lease outlives a slice several times over.
    """
    with advisory_lock("lab") as held:
        if not held:
            raise Problem("unavailable", "Another lap is on the table.", retry_after=1)
        with transaction.atomic():
            jobs.job_hold(job_id=job_id, fence=fence)
        if have is not None and LabStudent.objects.count() != have:
            raise Problem(DISTURBED)
        yield


@cache
def _faker() -> Any:
    """Made once and tried once, so that no lap pays for Faker's imports; here, so that no other request does."""
    from faker import Faker

    faker = Faker()
    for make in (faker.first_name, faker.last_name, faker.email):
        make()
    return faker
