"""Door: students by the thousand, in and out. Service tokens only."""

from __future__ import annotations

import uuid
from dataclasses import asdict

from django.http import StreamingHttpResponse
from ochaq_shared.problems import FieldError, Problem
from rest_framework.request import Request
from rest_framework.response import Response

from ochaq_web.core.authentication import InternalView
from ochaq_web.students import batches, purges, stream
from ochaq_web.students.serializers import PurgeInput

NDJSON = "application/x-ndjson"
MOST_BYTES = 4 * 1024 * 1024
MOST_NUMBER = 2**63 - 1


class BatchesView(InternalView):
    """`?job=&fence=&chunk=` and NDJSON → `{first_id, last_id, count, replayed}`."""

    def post(self, request: Request) -> Response:
        if request.content_type.partition(";")[0].strip() != NDJSON:
            raise Problem("unsupported_media_type", f"Send {NDJSON}.")
        stored = batches.student_batch_create(
            job_id=_uuid(request, "job"),
            fence=_number(request, "fence"),
            chunk=_number(request, "chunk"),
            body=_body(request),
        )
        return Response(asdict(stored))


class PurgesView(InternalView):
    """`{"job", "fence"}` → `{removed, done, replayed}`; call again until it is done."""

    def post(self, request: Request) -> Response:
        read = PurgeInput(data=request.data)
        read.is_valid(raise_exception=True)
        purged = purges.student_demo_purge(job_id=read.validated_data["job"], fence=read.validated_data["fence"])
        return Response(asdict(purged))


class StreamView(InternalView):
    """`?after_id=&until_id=` → NDJSON in the order of ids, however many there are."""

    def get(self, request: Request) -> StreamingHttpResponse:
        until = _number(request, "until_id") if request.GET.get("until_id") else None
        after = _number(request, "after_id") if request.GET.get("after_id") else 0
        return StreamingHttpResponse(stream.student_stream(after_id=after, until_id=until), content_type=NDJSON)


def _body(request: Request) -> bytes:
    # Read past Django's own limit on purpose: this body is data, and it has a limit of its own.
    body: bytes = request._request.read(MOST_BYTES + 1)
    if len(body) > MOST_BYTES:
        raise Problem("too_large", f"A batch may have {MOST_BYTES} bytes.")
    return body


def _number(request: Request, name: str) -> int:
    text = request.GET.get(name, "")
    if not (text.isascii() and text.isdigit() and int(text[:20]) <= MOST_NUMBER and len(text) < 20):
        raise Problem("request.invalid", errors=[FieldError(name, "invalid", "A whole number.")])
    return int(text)


def _uuid(request: Request, name: str) -> uuid.UUID:
    try:
        return uuid.UUID(request.GET.get(name, ""))
    except ValueError:
        raise Problem("request.invalid", errors=[FieldError(name, "invalid", "A UUID.")]) from None
