"""What people do to single students. Each write locks the row, raises its version and tells it in one transaction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models.functions import Now
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.students import batches, facts, problems
from ochaq_web.students.models import Student
from ochaq_web.students.roll import DOMAIN, ROLL

WRITABLE = ("first_name", "last_name", "email", "age")


def student_create(*, first_name: str, last_name: str, email: str, age: int) -> Student:
    """Add one real student; 409 when the address is taken, whatever its case."""
    student = Student(first_name=first_name, last_name=last_name, email=email, age=age, demo=False, version=1)
    with transaction.atomic():
        _store(student, force_insert=True)
        facts.tell_created(student)
    return student


def student_update(*, student_id: int, changes: Mapping[str, Any]) -> Student:
    """Change some fields; a change that changes nothing makes no new version."""
    with transaction.atomic():
        student = _locked(student_id)
        changed = [name for name in WRITABLE if name in changes and getattr(student, name) != changes[name]]
        if not changed:
            return student
        for name in changed:
            setattr(student, name, changes[name])
        student.version += 1
        student.updated_at = Now()
        _store(student, update_fields=[*changed, "version", "updated_at"])
        facts.tell_changed(student)
    return student


def student_delete(*, student_id: int) -> None:
    """Remove one student."""
    with transaction.atomic():
        student = _locked(student_id)
        student.version += 1
        facts.tell_removed(student)
        student.delete()


def seed() -> int:
    """Enrol the demo school's students once; answers how many were added."""
    with transaction.atomic():
        known = set(Student.objects.filter(demo=False).values_list("email", flat=True))
        numbered = [(f"student{number:02}@{DOMAIN}", *person) for number, person in enumerate(ROLL, 1)]
        missing = [row for row in numbered if row[0] not in known]
        for email, first, last, age in missing:
            student_create(first_name=first, last_name=last, email=email, age=age)
    return len(missing)


def batch_lines(body: bytes) -> list[str]:
    """An NDJSON batch as COPY's lines without ids, checked as every batch is; the lab copies them elsewhere."""
    return batches.copy_lines(batches.batch_parse(body))


def _locked(student_id: int) -> Student:
    student = Student.objects.select_for_update().filter(pk=student_id).first()
    if student is None:
        raise Problem("not_found")
    return student


def _store(student: Student, **how: Any) -> None:
    try:
        with transaction.atomic():
            student.save(**how)
    except IntegrityError as error:
        if "student_email_once" not in str(error):
            raise
        taken = FieldError("/email", "taken", "Another student has this e-mail address.")
        raise Problem(problems.EMAIL_TAKEN, errors=[taken]) from error
