"""How a change of a student is told: a fact in the outbox, in the transaction of the change."""

from __future__ import annotations

from typing import Any

from django.db import connection
from ochaq_shared import outbox
from ochaq_shared.events.base import Fact
from ochaq_shared.events.students import StudentChanged, StudentCreated, StudentRemoved

from ochaq_web.students.models import Student

FEED = "students"  # the one subject of all batch facts, so that consumers see them in order
_FEED_VERSION = "SELECT nextval('student_feed_version')"


def student_fields(student: Student) -> dict[str, Any]:
    """The student as the API and the single-row facts show it."""
    return {
        "id": student.id,
        "first_name": student.first_name,
        "last_name": student.last_name,
        "email": student.email,
        "age": student.age,
        "demo": student.demo,
        "version": student.version,
    }


def tell_created(student: Student) -> None:
    _tell(student, StudentCreated(**student_fields(student)))


def tell_changed(student: Student) -> None:
    _tell(student, StudentChanged(**student_fields(student)))


def tell_removed(student: Student) -> None:
    """`student` carries the version after its last one: being removed is a change too."""
    _tell(student, StudentRemoved(id=student.id))


def tell_batch(fact: Fact) -> None:
    """Call it under `batches.feed_lock`: only then do the versions follow the order of commits."""
    with connection.cursor() as cursor:
        cursor.execute(_FEED_VERSION)
        version = cursor.fetchone()[0]
    outbox.emit(connection, fact, subject=FEED, version=version)


def _tell(student: Student, fact: Fact) -> None:
    outbox.emit(connection, fact, subject=f"student:{student.id}", version=student.version)
