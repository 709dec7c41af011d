"""Route of uploads by form."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request, Response
from ochaq_shared import failpoints
from ochaq_shared.idempotency import Scope
from ochaq_shared.identity import Identity
from ochaq_shared.problems import Problem
from starlette.requests import ClientDisconnect

from ochaq_files import names, policy
from ochaq_files.api.asking import IdentityDep, ServiceDep
from ochaq_files.api.receiving import FormReceiver, boundary_of, receive_form, too_large
from ochaq_files.api.shapes import FILES, FileOut, file_out
from ochaq_files.documents import Document
from ochaq_files.service import Service
from ochaq_files.storage.spool import Spooled
from ochaq_files.uploads import Answer, Idempotent, Upload

router = APIRouter(prefix="/api/v1/files", tags=["files"])

FORM_ROOM = 256 * 1024  # what boundaries, headers and small fields may add to the file itself
FORM: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["file"],
                    "properties": {
                        "file": {"type": "string", "format": "binary"},
                        "folder": {"type": "string", "description": "`a/b`; made when missing", "default": ""},
                    },
                }
            }
        },
    },
    "parameters": [{"name": "Idempotency-Key", "in": "header", "schema": {"type": "string", "maxLength": 255}}],
}
ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": FileOut,
        "description": "You have this content already; `duplicate_of` names the oldest file with it",
    },
    303: {"description": "For a browser's form: on to the folder"},
}


@router.post(
    "/", status_code=201, summary="Upload a file", response_model=FileOut, responses=ANSWERS, openapi_extra=FORM
)
async def upload_file(request: Request, service: ServiceDep, identity: IdentityDep) -> Response:
    policy.may_upload(identity)
    boundary = boundary_of(request.headers.get("content-type", ""))
    _check_announced(request, service.settings.max_upload_bytes)
    spooled = Spooled(service.spool)
    try:
        answer, upload = await _receive(request, service, identity, boundary, spooled)
    except ClientDisconnect as error:
        raise Problem("request.malformed", "The connection ended before the form did.") from error
    finally:
        await asyncio.to_thread(spooled.close)
    failpoints.hit("files.answered")
    return _on_to_folder(upload.folder) if _is_browser_form(request) else _response(answer)


async def _receive(
    request: Request, service: Service, identity: Identity, boundary: bytes, spooled: Spooled
) -> tuple[Answer, Upload]:
    receiver = FormReceiver(boundary, spooled, service.settings.max_upload_bytes)
    form = await receive_form(request.stream(), receiver)
    # Names are judged before anything is stored.
    name, folder = names.file_name(form.file_name or ""), names.folder_path(form.fields.get("folder", ""))
    content = await asyncio.to_thread(spooled.finish)
    upload = Upload(folder, name, form.declared_type, content)
    idempotent = _idempotent(request, identity)
    answer = await service.uploads.store(identity, upload, spooled.content, render=_render, idempotent=idempotent)
    return answer, upload


def _render(document: Document) -> tuple[dict[str, str], bytes]:
    return {"Location": f"{FILES}{document.id}"}, file_out(document).model_dump_json().encode()


def _response(answer: Answer) -> Response:
    headers = {**answer.headers, **({"Idempotency-Replayed": "true"} if answer.replayed else {})}
    return Response(answer.body, answer.status, headers, media_type="application/json")


def _on_to_folder(folder: str) -> Response:
    query = f"?{urlencode({'folder': folder})}" if folder else ""
    return Response(status_code=303, headers={"Location": f"/files/{query}"})


def _is_browser_form(request: Request) -> bool:
    """True for a form that a page sent without a script: it wants to see the folder, not JSON."""
    accept = request.headers.get("accept", "")
    return "text/html" in accept and "application/json" not in accept


def _idempotent(request: Request, identity: Identity) -> Idempotent | None:
    key = request.headers.get("idempotency-key")
    return None if key is None else Idempotent(Scope(identity.subject, "POST", FILES), key)


def _check_announced(request: Request, limit: int) -> None:
    """Refuse a body that announces to be too large before reading it."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit + FORM_ROOM:
        raise too_large(limit)
