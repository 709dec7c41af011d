"""Where the truth about students comes from: web's internal stream."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import msgspec
from ochaq_shared.http import InternalClient, Unavailable, UpstreamProblem

from ochaq_search.engines.base import StudentRow

PATH = "/internal/v1/students/stream"
END = b'{"end":'


class SourceUnavailable(Exception):
    """Web cannot be asked right now. Never the fault of what was asked for, so asking again is always right."""


class _Line(msgspec.Struct):
    """One line of the stream; members that the index has no use for are not even decoded."""

    id: int
    first_name: str
    last_name: str
    email: str
    demo: bool
    version: int


class StudentSource(Protocol):
    """The students that exist at the moment of asking."""

    def students(self, *, after_id: int = 0, until_id: int | None = None) -> Iterator[StudentRow]:
        """Rows with `after_id < id <= until_id` in the order of ids, as they come; raises SourceUnavailable."""


class _End(msgspec.Struct):
    """The last line: how many rows came before it."""

    end: int


class WebStudents:
    """Reads web's NDJSON stream. One that ends without its last line is a torn one, however politely it ended."""

    def __init__(self, web: InternalClient) -> None:
        self._web = web
        self._decode = msgspec.json.Decoder(_Line).decode
        self._end = msgspec.json.Decoder(_End).decode

    def students(self, *, after_id: int = 0, until_id: int | None = None) -> Iterator[StudentRow]:
        params = {"after_id": after_id} if until_id is None else {"after_id": after_id, "until_id": until_id}
        rows, announced = 0, None
        try:
            for text in self._web.stream_lines(PATH, params):
                if text.startswith(END):
                    announced = self._end(text).end
                    continue
                line = self._decode(text)
                rows += 1
                yield StudentRow(line.id, line.first_name, line.last_name, line.email, line.demo, line.version)
        except (Unavailable, UpstreamProblem, msgspec.DecodeError) as error:
            raise SourceUnavailable(str(error)) from error
        if announced != rows:
            raise SourceUnavailable(f"the stream broke off after {rows} students")
