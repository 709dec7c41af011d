"""Routes of the file list and of single files."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query, Response
from ochaq_shared.problems import FieldError, Problem

from ochaq_files import names
from ochaq_files.api.asking import CursorText, IdentityDep, Limit, ServiceDep, is_id
from ochaq_files.api.shapes import FileChange, FileOut, FilePage, file_out, file_page
from ochaq_files.cursors import cursor_parse
from ochaq_files.documents import Filter, Status, document_get, document_list, document_move, document_remove
from ochaq_files.inspection import Kind

router = APIRouter(prefix="/api/v1/files", tags=["files"])


@router.get("/", summary="Files you may read, the newest first")
async def list_files(
    service: ServiceDep,
    identity: IdentityDep,
    folder: Annotated[str | None, Query(max_length=2048, description="only files directly in this folder")] = None,
    status: Status | None = None,
    kind: Kind | None = None,
    q: Annotated[str | None, Query(max_length=200, description="a part of the name")] = None,
    limit: Limit = 25,
    cursor: CursorText = None,
) -> FilePage:
    wanted = Filter(None if folder is None else names.folder_path(folder), status, kind, _searchable(q))
    page = await service.database.run(document_list, identity, wanted, cursor_parse(cursor, is_id), limit)
    query = {"folder": folder, "status": status, "kind": kind, "q": q, "limit": limit}
    return file_page(page, query, service.settings.public_url)


@router.get("/{file_id}", summary="One file")
async def get_file(service: ServiceDep, identity: IdentityDep, file_id: UUID) -> FileOut:
    return file_out(await service.database.run(document_get, identity, str(file_id)))


@router.patch("/{file_id}", summary="Rename or move a file")
async def change_file(service: ServiceDep, identity: IdentityDep, file_id: UUID, change: FileChange) -> FileOut:
    name = None if change.name is None else names.new_name(change.name)
    folder = None if change.folder is None else names.folder_path(change.folder)
    moved = await service.database.run(document_move, identity, str(file_id), name=name, folder=folder)
    return file_out(moved)


@router.delete("/{file_id}", status_code=204, summary="Remove a file")
async def remove_file(service: ServiceDep, identity: IdentityDep, file_id: UUID) -> Response:
    await service.database.run(document_remove, identity, str(file_id))
    return Response(status_code=204)


def _searchable(q: str | None) -> str | None:
    if q is not None and not names.printable(q):
        raise Problem("request.invalid", errors=[FieldError("q", "invalid", "must not contain control characters")])
    return q
