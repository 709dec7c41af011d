"""Demo students out: sets of rows at a time, never a real student, never a lock that a reader would feel.

A purge removes what was there when it began. It works in windows, each its own transaction with the job's row held, so
it can be interrupted anywhere, and one call never runs much longer than `CALL_SECONDS`.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from django.db import connection, transaction
from ochaq_shared.events.students import StudentsBatchRemoved

from ochaq_web.jobs.selectors import jobs_settled
from ochaq_web.jobs.services import job_hold
from ochaq_web.students import facts
from ochaq_web.students.batches import feed_lock
from ochaq_web.students.models import StudentChunk, StudentPurge

WINDOW_ROWS = 50_000
CALL_SECONDS = 1.0
NOTES_DAYS = 1

_LAST_ID = "SELECT last_value FROM student_id_seq"
_WINDOW_END = "SELECT id FROM student WHERE demo AND id <= %s ORDER BY id OFFSET %s LIMIT 1"
_DELETE = "DELETE FROM student WHERE demo AND id <= %s"
# After a purge of a million the table is mostly free space, which a sequential scan would read through each time.
_BY_INDEX = "SET LOCAL enable_seqscan = off"


@dataclass(frozen=True)
class Purged:
    """The answer to a purge: call again until it is `done`."""

    removed: int
    done: bool
    replayed: bool


def student_demo_purge(*, job_id: uuid.UUID, fence: int) -> Purged:
    """Remove the demo students made before this job's purge began; repeated calls continue and then replay it."""
    purge, replayed = _begin(job_id, fence)
    until = time.monotonic() + CALL_SECONDS
    while not purge.done:
        purge = _remove_window(job_id, fence)
        if time.monotonic() > until:
            break
    return Purged(purge.removed, purge.done, replayed)


def bulk_notes_forget() -> int:
    """Drop what was remembered for repeating the chunks and purges of jobs that will not run again."""
    settled = jobs_settled(NOTES_DAYS).values("id")
    chunks, _ = StudentChunk.objects.filter(job_id__in=settled).delete()
    purges, _ = StudentPurge.objects.filter(job_id__in=settled).delete()
    return chunks + purges


def _begin(job_id: uuid.UUID, fence: int) -> tuple[StudentPurge, bool]:
    with transaction.atomic():
        job_hold(job_id=job_id, fence=fence)
        known = StudentPurge.objects.filter(pk=job_id).first()
        if known is not None:
            return known, known.done
        feed_lock()
        return StudentPurge.objects.create(job_id=job_id, up_to_id=_last_id()), False


def _remove_window(job_id: uuid.UUID, fence: int) -> StudentPurge:
    with transaction.atomic():
        job_hold(job_id=job_id, fence=fence)
        purge = StudentPurge.objects.get(pk=job_id)
        end = _window_end(purge.up_to_id)
        with connection.cursor() as cursor:
            cursor.execute(_DELETE, (purge.up_to_id if end is None else end,))
            purge.removed += cursor.rowcount
        if end is None:
            _end(purge)
        purge.save()
    return purge


def _end(purge: StudentPurge) -> None:
    feed_lock()
    purge.done = True
    if purge.removed:
        facts.tell_batch(StudentsBatchRemoved(up_to_id=purge.up_to_id, count=purge.removed, job_id=str(purge.job_id)))


def _last_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute(_LAST_ID)
        return int(cursor.fetchone()[0])


def _window_end(up_to_id: int) -> int | None:
    """Where a full window ends; None when less than one is left. From here on the transaction keeps to the index."""
    with connection.cursor() as cursor:
        cursor.execute(_BY_INDEX)
        cursor.execute(_WINDOW_END, (up_to_id, WINDOW_ROWS))
        row = cursor.fetchone()
    return int(row[0]) if row else None
