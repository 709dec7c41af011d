"""Demo students in by the thousand: one statement, one range of ids, one fact.

The door for the worker (architecture.md, "Bulk"). Everything happens in one transaction that holds the job's row, so a
batch of a worker that lost its lease leaves nothing, and a chunk sent again finds its first answer.
"""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass
from typing import Annotated

import msgspec
from django.db import connection, transaction
from ochaq_shared.events.students import StudentsBatchCreated
from ochaq_shared.problems import FieldError, Problem
from psycopg.errors import UniqueViolation

from ochaq_web.jobs.services import job_hold
from ochaq_web.students import facts, problems
from ochaq_web.students.models import StudentChunk

MOST_ROWS = 20_000
TRIES = 5

Name = Annotated[str, msgspec.Meta(min_length=1, max_length=30)]
Email = Annotated[str, msgspec.Meta(min_length=3, max_length=254)]
Age = Annotated[int, msgspec.Meta(ge=15, le=70)]


class Row(msgspec.Struct, forbid_unknown_fields=True):
    """One line of the batch."""

    first_name: Name
    last_name: Name
    email: Email
    age: Age


# Checked in one pass over all addresses: a call per row would cost more than the match.
_EMAILS = re.compile(r"(?:[A-Za-z0-9._%+-]{1,64}@(?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,63}\n)+")


@dataclass(frozen=True)
class Stored:
    """The answer to a batch: the range its students got, and whether it had been stored before."""

    first_id: int
    last_id: int
    count: int
    replayed: bool


_decoder = msgspec.json.Decoder(Row)

_COPY = "COPY student (id, first_name, last_name, email, age, demo) FROM STDIN"

# Ids interleave with those of single inserts only when one happens within this statement; then it is run again.
_RESERVE = "SELECT min(id), max(id) FROM (SELECT nextval('student_id_seq') AS id FROM generate_series(1, %s)) AS ids"

_TAKEN = 'SELECT lower(email) COLLATE "C" FROM student WHERE lower(email) COLLATE "C" = ANY(%s)'


def feed_lock() -> None:
    """Batches and purges pass one by one from reserving ids to committing them.

    Whoever holds it knows that every id up to the sequence's last value is committed or will never be, which is what
    makes "everything up to this id is gone" a true sentence.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended('students.feed', 0))")


def batch_parse(body: bytes) -> list[Row]:
    """The rows of an NDJSON body; 422 when one of them is not a student, 413 when there are too many."""
    try:
        rows: list[Row] = _decoder.decode_lines(body)
    except msgspec.ValidationError as error:
        raise Problem("request.invalid", errors=[FieldError("", "invalid", str(error))]) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise Problem("request.malformed", "The body is not NDJSON.") from error
    if not rows:
        raise Problem("request.invalid", "The batch holds no student.")
    if len(rows) > MOST_ROWS:
        raise Problem(problems.BATCH_TOO_LARGE, f"At most {MOST_ROWS} rows in one batch.")
    if not _EMAILS.fullmatch("".join([f"{row.email}\n" for row in rows])):
        raise Problem("request.invalid", "The batch holds an address that is none.")
    return rows


def copy_lines(rows: list[Row]) -> list[str]:
    """The rows in COPY's text format, without their ids. What that format would read as its own is refused."""
    lines = [f"\t{row.first_name}\t{row.last_name}\t{row.email}\t{row.age}\tt\n" for row in rows]
    text = "".join(lines)
    framed = text.count("\t") == 5 * len(rows) and text.count("\n") == len(rows)
    if not framed or "\\" in text or "\r" in text or "\0" in text:
        raise Problem("request.invalid", "The batch holds a name with control characters.")
    return lines


def student_batch_create(*, job_id: uuid.UUID, fence: int, chunk: int, body: bytes) -> Stored:
    """Store one chunk of a job's students, once. Where an address is taken already, that row gets another one."""
    # Parsed before the job is locked: while one chunk is being copied, the next one is read.
    rows = batch_parse(body)
    for attempt in range(TRIES):
        lines = copy_lines(rows)
        try:
            with transaction.atomic():
                return _store(job_id, fence, chunk, lines)
        except UniqueViolation:
            _rename_taken(rows, attempt)
    raise Problem("conflict", "The batch holds an address more than once.")


def _store(job_id: uuid.UUID, fence: int, chunk: int, lines: list[str]) -> Stored:
    job_hold(job_id=job_id, fence=fence)
    known = StudentChunk.objects.filter(job_id=job_id, chunk=chunk).first()
    if known is not None:
        return _again(known, len(lines))
    feed_lock()
    first, last = _reserve(len(lines))
    _copy(first, lines)
    StudentChunk.objects.create(job_id=job_id, chunk=chunk, first_id=first, last_id=last, count=len(lines))
    facts.tell_batch(StudentsBatchCreated(first_id=first, last_id=last, count=len(lines), job_id=str(job_id)))
    return Stored(first, last, len(lines), replayed=False)


def _again(known: StudentChunk, size: int) -> Stored:
    """The first answer. A chunk of another size would mean that the job's chunks were cut anew in mid-run."""
    if known.count != size:
        raise Problem(problems.CHUNK_DIFFERS)
    return Stored(known.first_id, known.last_id, known.count, replayed=True)


def _reserve(size: int) -> tuple[int, int]:
    with connection.cursor() as cursor:
        for _ in range(TRIES):
            cursor.execute(_RESERVE, (size,))
            first, last = cursor.fetchone()
            if last - first + 1 == size:
                return first, last
    raise Problem("unavailable", retry_after=1)


def _copy(first: int, lines: list[str]) -> None:
    text = "".join([f"{number}{line}" for number, line in enumerate(lines, first)])
    # Django's cursor has no COPY; the psycopg cursor below it is the same connection and transaction.
    with connection.connection.cursor() as cursor, cursor.copy(_COPY) as copy:
        copy.write(text)


def _rename_taken(rows: list[Row], attempt: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, ([row.email.lower() for row in rows],))
        taken = {address for (address,) in cursor.fetchall()}
    for row in rows:
        if row.email.lower() in taken:
            local, _, domain = row.email.partition("@")
            row.email = f"{local[:56]}.{attempt + 2}@{domain}"
