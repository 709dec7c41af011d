"""Receiving a multipart form: parsed as it comes, hashed and written beside the event loop, limited while it grows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from ochaq_shared.problems import FieldError, Problem
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from ochaq_files.problems import FILE_MISSING, ONE_FILE
from ochaq_files.storage.spool import Spooled

BATCH_BYTES = 512 * 1024
IDLE_SECONDS = 60
MAX_PARTS = 20
MAX_FIELD_BYTES = 8 * 1024
MAX_HEADERS = 8
MAX_HEADER_BYTES = 4 * 1024


@dataclass
class Form:
    """What an upload form held."""

    fields: dict[str, str] = field(default_factory=dict)
    file_name: str | None = None
    declared_type: str = "application/octet-stream"


@dataclass
class _Part:
    """The part being read. `value` is None for the file, whose bytes go to the spool."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    name: str = ""
    value: bytearray | None = None


class FormReceiver:
    """Feeds a body to the parser and a file to the spool. `feed` blocks: it runs in a worker thread."""

    def __init__(self, boundary: bytes, spooled: Spooled, max_bytes: int) -> None:
        self.form = Form()
        self._spooled = spooled
        self._max_bytes = max_bytes
        self._parts = 0
        self._part = _Part()
        self._header_name = bytearray()
        self._header_value = bytearray()
        self._finished = False
        callbacks = {
            "on_part_begin": self._on_part_begin,
            "on_header_field": self._on_header_field,
            "on_header_value": self._on_header_value,
            "on_header_end": self._on_header_end,
            "on_headers_finished": self._on_headers_finished,
            "on_part_data": self._on_part_data,
            "on_part_end": self._on_part_end,
            "on_end": self._on_end,
        }
        self._parser = MultipartParser(
            boundary, callbacks, max_header_count=MAX_HEADERS, max_header_size=MAX_HEADER_BYTES  # type: ignore[arg-type] # a TypedDict
        )  # fmt: skip

    def feed(self, data: bytes) -> None:
        """Parse some bytes; raises a problem for what is malformed or too large."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise Problem("request.malformed", "The form cannot be read as multipart/form-data.") from error

    def complete(self) -> Form:
        """The form, once all of it was fed; raises `request.malformed` when its end is missing."""
        if not self._finished:
            raise Problem("request.malformed", "The form ends before its closing boundary.")
        if self.form.file_name is None:
            raise missing_file()
        return self.form

    def _on_part_begin(self) -> None:
        self._parts += 1
        if self._parts > MAX_PARTS:
            raise Problem("request.malformed", f"The form has more than {MAX_PARTS} parts.")
        self._part = _Part()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header_name += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header_value += data[start:end]

    def _on_header_end(self) -> None:
        self._part.headers[bytes(self._header_name).lower()] = bytes(self._header_value)
        self._header_name.clear()
        self._header_value.clear()

    def _on_headers_finished(self) -> None:
        disposition, options = parse_options_header(self._part.headers.get(b"content-disposition"))
        if disposition != b"form-data" or b"name" not in options:
            raise Problem("request.malformed", "A part has no name.")
        self._part.name = _text(options[b"name"])
        self._part.value = bytearray()
        if self._part.name == "file" and b"filename" in options:
            self._begin_file(_text(options[b"filename"]))

    def _begin_file(self, name: str) -> None:
        # A browser sends an empty name when nobody chose a file.
        if not name:
            raise missing_file()
        if self.form.file_name is not None:
            raise Problem(ONE_FILE, errors=[FieldError("/file", "too_many", "send one file in one request")])
        # Browsers write a quotation mark in a name as %22 (HTML, multipart/form-data encoding algorithm).
        self.form.file_name = name.replace("%22", '"')
        self.form.declared_type = _media_type(self._part.headers.get(b"content-type", b""))
        self._part.value = None

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._part.value is None:
            if self._spooled.size + end - start > self._max_bytes:
                raise too_large(self._max_bytes)
            self._spooled.write(memoryview(data)[start:end])
            return
        self._part.value += data[start:end]
        if len(self._part.value) > MAX_FIELD_BYTES:
            raise Problem("too_large", f"A field may have at most {MAX_FIELD_BYTES} bytes.")

    def _on_part_end(self) -> None:
        if self._part.value is not None:
            self.form.fields[self._part.name] = _text(bytes(self._part.value))

    def _on_end(self) -> None:
        self._finished = True


async def receive_form(chunks: AsyncIterator[bytes], receiver: FormReceiver) -> Form:
    """Read a body to its end. While one batch is hashed and written, the next one is received."""
    working: asyncio.Future[None] | None = None
    batch: list[bytes] = []
    size = 0
    try:
        while chunk := await _next(chunks):
            batch.append(chunk)
            size += len(chunk)
            if size >= BATCH_BYTES:
                if working is not None:
                    await working
                working = asyncio.ensure_future(asyncio.to_thread(receiver.feed, b"".join(batch)))
                batch, size = [], 0
    finally:
        # The spool must not be closed under a thread that still writes to it.
        if working is not None:
            await asyncio.wait([working])
    if working is not None:
        working.result()
    await asyncio.to_thread(receiver.feed, b"".join(batch))
    return receiver.complete()


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    """The next bytes that are not empty; empty at the end of the body."""
    try:
        async with asyncio.timeout(IDLE_SECONDS):
            async for chunk in chunks:
                if chunk:
                    return chunk
    except TimeoutError as error:
        raise Problem("request.timeout") from error
    return b""


def boundary_of(content_type: str) -> bytes:
    """The boundary of a form's Content-Type; raises `request.malformed` and `unsupported_media_type`."""
    kind, options = parse_options_header(content_type)
    if kind == b"application/x-www-form-urlencoded":
        raise missing_file()
    if kind != b"multipart/form-data":
        raise Problem("unsupported_media_type", "Send the file as multipart/form-data.")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:
        raise Problem("request.malformed", "The Content-Type has no usable boundary.")
    return boundary


def missing_file() -> Problem:
    return Problem(FILE_MISSING, errors=[FieldError("/file", "missing", "choose a file to send")])


def too_large(limit: int) -> Problem:
    return Problem("too_large", f"A file may have at most {limit} bytes.")


def _text(raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Problem("request.invalid", "Names and fields must be UTF-8.") from error


def _media_type(raw: bytes) -> str:
    kind = parse_options_header(raw)[0].decode("latin-1")
    fits = 3 <= len(kind) <= 100 and kind.isascii() and kind.isprintable() and "/" in kind
    return kind if fits else "application/octet-stream"
