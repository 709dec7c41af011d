"""Answers with bytes: ETag, preconditions, single and several ranges (RFC 9110 sections 13 and 14)."""

from __future__ import annotations

import re
import secrets
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from functools import cached_property
from itertools import chain
from urllib.parse import quote

import structlog
from ochaq_shared.problems import Problem
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from ochaq_files.reading import Body, stream
from ochaq_files.storage.objects import ObjectCorrupt, ObjectMissing, Objects, Piece, StoreUnavailable

log = structlog.get_logger(__name__)

MAX_RANGES = 16
MAX_HEADER = 2048
_RANGE = re.compile(r"^(\d*)-(\d*)$", re.ASCII)
_TAG = re.compile(r'^"([\x21\x23-\x7e]+)"$')

Range = tuple[int, int]


@dataclass(frozen=True)
class Represented:
    """A body with everything that is said about it."""

    body: Body
    etag: str
    modified: int
    media_type: str
    file_name: str
    digest: str | None = None

    @cached_property
    def headers(self) -> dict[str, str]:
        """Headers that keep the bytes from being run, whatever they are."""
        found = {
            "ETag": f'"{self.etag}"',
            "Last-Modified": formatdate(self.modified, usegmt=True),
            "Accept-Ranges": "bytes",
            "Content-Type": self.media_type,
            "Content-Disposition": attachment(self.file_name),
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; sandbox",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, no-cache",
        }
        if self.digest:
            found["Repr-Digest"] = f"sha-256=:{self.digest}:"
        return found


def attachment(name: str) -> str:
    """Content-Disposition for a name (RFC 6266): plain for old clients, exact for all others."""
    plain = "".join(c if " " <= c <= "~" and c not in '"\\%' else "_" for c in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def answer(request: Request, objects: Objects, represented: Represented) -> Response:
    """The answer to a GET or HEAD, with preconditions and ranges."""
    early = precondition_answer(request, represented)
    if early is not None:
        return early
    ranges = _wanted(request, represented)
    headers = dict(represented.headers)
    if ranges is None:
        pieces = represented.body.pieces(0, represented.body.size)
        return await _body_response(request, objects, 200, headers, represented.body.size, pieces)
    if len(ranges) == 1:
        start, stop = ranges[0]
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{represented.body.size}"
        return await _body_response(request, objects, 206, headers, stop - start, represented.body.pieces(start, stop))
    return await _several(request, objects, represented, ranges)


def precondition_answer(request: Request, represented: Represented) -> Response | None:
    """304 or a 412 problem where a precondition asks for it."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is not None and not _names(match, represented.etag, weak=False):
        raise Problem("precondition_failed")
    if none_match is not None and _names(none_match, represented.etag, weak=True):
        return Response(status_code=304, headers=represented.headers)
    return None


def conditional_tags(request: Request) -> list[str]:
    """The strong tags by which a request says which representation it means to go on with."""
    values = (request.headers.get("if-range", ""), *request.headers.get("if-match", "").split(","))
    return [found[1] for value in values[: MAX_RANGES + 1] if (found := _TAG.match(value.strip()))]


def parse_ranges(header: str, size: int) -> list[Range] | None:
    """The ranges [start, stop) of a Range header, in order and merged; None when it is to be ignored.

    Raises `range_not_satisfiable` when no range lies inside the body.
    """
    unit, _, rest = header.partition("=")
    specs = [spec.strip() for spec in rest.split(",") if spec.strip()]
    if unit.strip().lower() != "bytes" or not specs or len(header) > MAX_HEADER or len(specs) > MAX_RANGES:
        return None
    found: list[Range] = []
    for spec in specs:
        matched = _RANGE.match(spec)
        if not matched or spec == "-" or len(spec) > 40:
            return None
        one = _bounds(matched[1], matched[2], size)
        if one is None:
            return None
        if one[0] < one[1]:
            found.append(one)
    if not found:
        raise Problem("range_not_satisfiable", headers={"Content-Range": f"bytes */{size}"})
    return _merged(found)


def _bounds(first: str, last: str, size: int) -> Range | None:
    """One range; empty when it lies outside, None when it is no range at all."""
    if not first:
        return max(size - int(last), 0), size
    if last and int(last) < int(first):
        return None
    start = int(first)
    stop = min(int(last) + 1, size) if last else size
    return (start, stop) if start < size else (0, 0)


def _merged(ranges: Sequence[Range]) -> list[Range]:
    """Overlapping and touching ranges as one, so that no byte is read twice."""
    merged: list[Range] = []
    for start, stop in sorted(ranges):
        if merged and start <= merged[-1][1]:
            merged[-1] = merged[-1][0], max(merged[-1][1], stop)
        else:
            merged.append((start, stop))
    return merged


def _wanted(request: Request, represented: Represented) -> list[Range] | None:
    header = request.headers.get("range")
    condition = request.headers.get("if-range")
    if header is None or (condition is not None and not _still(condition.strip(), represented)):
        return None
    return parse_ranges(header, represented.body.size)


def _still(condition: str, represented: Represented) -> bool:
    """True when an If-Range names exactly this representation, by its tag or by its date."""
    return condition in {represented.headers["ETag"], represented.headers["Last-Modified"]}


def _names(header: str, etag: str, *, weak: bool) -> bool:
    tags = [tag.strip() for tag in header.split(",")]
    known = {f'"{etag}"', "*"} | ({f'W/"{etag}"'} if weak else set())
    return not known.isdisjoint(tags)


async def _several(request: Request, objects: Objects, represented: Represented, ranges: Sequence[Range]) -> Response:
    boundary = secrets.token_hex(16)
    size = represented.body.size
    heads = [
        f"\r\n--{boundary}\r\nContent-Type: {represented.media_type}\r\n"
        f"Content-Range: bytes {start}-{stop - 1}/{size}\r\n\r\n".encode()
        for start, stop in ranges
    ]
    tail = f"\r\n--{boundary}--\r\n".encode()
    length = sum(map(len, heads)) + sum(stop - start for start, stop in ranges) + len(tail)
    parts: Iterator[Piece] = chain.from_iterable(
        chain([head], represented.body.pieces(*one)) for head, one in zip(heads, ranges, strict=True)
    )
    headers = {**represented.headers, "Content-Type": f"multipart/byteranges; boundary={boundary}"}
    return await _body_response(request, objects, 206, headers, length, chain(parts, [tail]))


async def _body_response(
    request: Request, objects: Objects, status: int, headers: dict[str, str], length: int, pieces: Iterator[Piece]
) -> Response:
    headers["Content-Length"] = str(length)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers)
    chunks = stream(objects, pieces)
    # The first bytes are read before the status is sent, so that a missing object is a problem and not a torn answer.
    try:
        first = await anext(chunks, b"")
    except (ObjectMissing, ObjectCorrupt) as error:
        log.error("object.damaged", key=str(error), error=type(error).__name__)
        raise Problem("internal") from error
    except StoreUnavailable as error:
        raise Problem("unavailable", "The content cannot be read now.", retry_after=5) from error
    return _Streamed(status, headers, first, chunks)


class _Streamed(Response):
    """Sends chunks as they come. A failure on the way ends the connection short of the announced length."""

    def __init__(
        self,
        status: int,
        headers: dict[str, str],
        first: bytes | memoryview,
        rest: AsyncGenerator[bytes | memoryview, None],
    ) -> None:
        self.status_code = status
        self.background = None
        self.body = b""
        self.init_headers(headers)
        self._first = first
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        try:
            await send({"type": "http.response.body", "body": self._first, "more_body": True})
            async for chunk in self._rest:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
        finally:
            await self._rest.aclose()
        await send({"type": "http.response.body", "body": b"", "more_body": False})
