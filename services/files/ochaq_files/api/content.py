"""Route of a file's bytes."""

from __future__ import annotations

import base64
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Request, Response

from ochaq_files.api.asking import IdentityDep, ServiceDep
from ochaq_files.api.ranges import Represented, answer, precondition_answer
from ochaq_files.documents import Document, document_get
from ochaq_files.reading import ObjectBody

router = APIRouter(prefix="/api/v1/files", tags=["files"])

# Only types that no browser runs are named; everything else is sent as bytes without a meaning.
SAFE_TYPES = frozenset(
    [
        "image/png",
        "image/jpeg",
        "image/gif",
        "image/webp",
        "image/avif",
        "image/bmp",
        "audio/mpeg",
        "audio/ogg",
        "audio/flac",
        "audio/x-wav",
        "audio/mp4",
        "audio/aac",
        "video/mp4",
        "video/webm",
        "video/quicktime",
        "text/plain",
        "text/csv",
        "text/markdown",
        "text/calendar",
        "text/vtt",
        "application/json",
        "application/pdf",
    ]
)
CONTENT: dict[int | str, dict[str, Any]] = {
    200: {"description": "The bytes", "content": {"*/*": {"schema": {"type": "string", "format": "binary"}}}},
    206: {"description": "Some of them"},
    304: {"description": "Not modified"},
}


@router.head("/{file_id}/content", include_in_schema=False)
@router.get("/{file_id}/content", summary="A file's bytes", response_class=Response, responses=CONTENT)
async def file_content(request: Request, service: ServiceDep, identity: IdentityDep, file_id: UUID) -> Response:
    document = await service.database.run(document_get, identity, str(file_id))
    represented = _represented(document)
    internal = service.objects.internal_path(document.key)
    # nginx knows no ETag of ours when it judges an If-Match, so those rare requests are answered here.
    if internal is None or "if-match" in request.headers:
        return await answer(request, service.objects, represented)
    return precondition_answer(request, represented) or _sent_by_gateway(represented, internal)


def _sent_by_gateway(represented: Represented, internal: str) -> Response:
    """The gateway reads the file itself, handles ranges and says so."""
    kept = {name: value for name, value in represented.headers.items() if name != "Accept-Ranges"}
    return Response(headers={**kept, "X-Accel-Redirect": internal})


def _represented(document: Document) -> Represented:
    digest = base64.b64encode(bytes.fromhex(document.sha256)).decode()
    return Represented(
        body=ObjectBody(document.key, document.size),
        etag=document.sha256,
        modified=int(document.modified_at.timestamp()),
        media_type=_safe_type(document.media_type),
        file_name=document.name,
        digest=digest,
    )


def _safe_type(media_type: str) -> str:
    if media_type not in SAFE_TYPES:
        return "application/octet-stream"
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type
