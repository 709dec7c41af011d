"""Students out, any number of them in flat memory: the indexer pulls what one batch fact announced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson
from django.db import connection

PAGE = 5_000
COLUMNS = ("id", "first_name", "last_name", "email", "age", "demo", "version")

# Pages by key instead of one cursor: no snapshot is held open while a slow reader drinks, so vacuum is not held back.
_NEXT = f"SELECT {', '.join(COLUMNS)} FROM student WHERE id > %s AND id <= %s ORDER BY id LIMIT {PAGE}"  # noqa: S608

ENDLESS = 2**63 - 1


def student_stream(*, after_id: int = 0, until_id: int | None = None) -> Iterator[bytes]:
    """NDJSON in blocks of a few thousand lines, in the order of ids, `after_id` excluded and `until_id` included.

    The last line is `{"end": rows}`: when the database goes away in the middle, the server ends the answer like a whole
    one, and a reader that took it for one would believe that all later students are gone.
    """
    last, sent, more = ENDLESS if until_id is None else until_id, 0, True
    while more and (rows := _page(after_id, last)):
        yield b"".join(map(_line, rows))
        sent, after_id, more = sent + len(rows), rows[-1][0], len(rows) == PAGE
    yield orjson.dumps({"end": sent}, option=orjson.OPT_APPEND_NEWLINE)


def _page(after_id: int, until_id: int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(_NEXT, (after_id, until_id))
        return list(cursor.fetchall())


def _line(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(dict(zip(COLUMNS, row, strict=True)), option=orjson.OPT_APPEND_NEWLINE)
