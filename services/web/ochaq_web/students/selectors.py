"""Reading students: who is on the list, and how many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db import connection
from django.db.models import Q, QuerySet, Value
from ochaq_shared.problems import FieldError, Problem

from ochaq_web.students.models import Student, folded

MOST_QUERY = 254
# Each order is total and has an index; names are ordered without case.
ORDERINGS: dict[str, tuple[str, ...]] = {
    "id": ("id",),
    "first_name": ("first_name_folded", "id"),
    "last_name": ("last_name_folded", "id"),
    "email": ("email_folded", "id"),
    "age": ("age", "id"),
}
COUNT_EXACTLY = 50_000


@dataclass(frozen=True)
class Wanted:
    """What a reader asked the list for."""

    q: str = ""
    age_min: int | None = None
    age_max: int | None = None
    ordering: str = "id"

    @property
    def is_filtered(self) -> bool:
        return bool(self.q) or self.age_min is not None or self.age_max is not None


def student_list(wanted: Wanted) -> QuerySet[Student]:
    """The students that fit, with the columns the orders need; not yet ordered."""
    students = Student.objects.annotate(
        first_name_folded=folded("first_name"), last_name_folded=folded("last_name"), email_folded=folded("email")
    )
    if wanted.age_min is not None:
        students = students.filter(age__gte=wanted.age_min)
    if wanted.age_max is not None:
        students = students.filter(age__lte=wanted.age_max)
    return students.filter(_prefix(wanted.q)) if wanted.q else students


def student_ordering(wanted: Wanted) -> Sequence[str]:
    """The keyset behind an `ordering` such as `last_name` or `-age`; 422 for a word we do not know."""
    name = wanted.ordering.removeprefix("-")
    if name not in ORDERINGS:
        known = ", ".join(sorted(ORDERINGS))
        raise Problem("request.invalid", errors=[FieldError("ordering", "unknown", f"One of: {known}; - reverses.")])
    fields = ORDERINGS[name]
    return tuple(f"-{field}" for field in fields) if wanted.ordering.startswith("-") else fields


def student_by_id(student_id: int) -> Student:
    """One student, or 404."""
    student = Student.objects.filter(pk=student_id).first()
    if student is None:
        raise Problem("not_found")
    return student


def student_total(wanted: Wanted) -> int:
    """How many fit. Without a filter and beyond some ten thousand the planner's estimate is exact enough to read."""
    if wanted.is_filtered:
        return student_list(wanted).count()
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples::bigint FROM pg_class WHERE oid = 'student'::regclass")
        estimate = int(cursor.fetchone()[0])
    return estimate if estimate > COUNT_EXACTLY else Student.objects.count()


def _prefix(text: str) -> Q:
    # PostgreSQL folds the text itself, so that it is folded exactly as the index is.
    start = folded(Value(text))  # type: ignore[arg-type]
    return (
        Q(first_name_folded__startswith=start)
        | Q(last_name_folded__startswith=start)
        | Q(email_folded__startswith=start)
    )
