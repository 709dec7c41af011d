"""Facts about students. Single rows travel whole; batches travel as ranges that consumers pull as a stream."""

from __future__ import annotations

from ochaq_shared.events.base import Fact, Lane, fact


class _StudentFact(Fact):
    id: int
    first_name: str
    last_name: str
    email: str
    age: int
    demo: bool
    version: int


@fact("students.student.created", source="/web/students")
class StudentCreated(_StudentFact):
    """One student was added."""


@fact("students.student.changed", source="/web/students")
class StudentChanged(_StudentFact):
    """One student has a new version."""


@fact("students.student.removed", source="/web/students")
class StudentRemoved(Fact):
    """One student is gone."""

    id: int


@fact("students.batch.created", source="/web/students", lane=Lane.BULK)
class StudentsBatchCreated(Fact):
    """Students `first_id`..`last_id` (both included) were created by one statement."""

    first_id: int
    last_id: int
    count: int
    job_id: str


@fact("students.batch.removed", source="/web/students", lane=Lane.BULK)
class StudentsBatchRemoved(Fact):
    """Every demo student with an id of at most `up_to_id` is gone."""

    up_to_id: int
    count: int
    job_id: str
