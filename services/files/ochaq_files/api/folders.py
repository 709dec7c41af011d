"""Routes of folders: their list, and each as an archive."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from ochaq_shared.identity import Identity

from ochaq_files import names
from ochaq_files.api.asking import CursorText, IdentityDep, Limit, ServiceDep, folder_of, is_text
from ochaq_files.api.ranges import Represented, answer, conditional_tags
from ochaq_files.api.shapes import FolderPage, folder_page
from ochaq_files.archives import Layout, Manifest, manifest_current, manifest_snapshot
from ochaq_files.cursors import cursor_parse
from ochaq_files.folders import folder_list
from ochaq_files.service import Service

router = APIRouter(prefix="/api/v1/folders", tags=["folders"])

ARCHIVE: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "The archive",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    },
    206: {"description": "Some bytes of it"},
}


@router.get("/", summary="The folders directly under a path")
async def list_folders(
    service: ServiceDep,
    identity: IdentityDep,
    under: Annotated[str, Query(max_length=2048)] = "",
    limit: Limit = 25,
    cursor: CursorText = None,
) -> FolderPage:
    place = cursor_parse(cursor, is_text, descending=False)
    page = await service.database.run(folder_list, identity, names.folder_path(under), place, limit)
    return folder_page(page, {"under": under, "limit": limit}, service.settings.public_url)


@router.head("/archive.zip", include_in_schema=False)
@router.get("/archive.zip", summary="All files as a zip", response_class=Response, responses=ARCHIVE)
async def whole_archive(request: Request, service: ServiceDep, identity: IdentityDep) -> Response:
    return await _archive(request, service, identity, "")


@router.head("/{path:path}/archive.zip", include_in_schema=False)
@router.get("/{path:path}/archive.zip", summary="A folder as a zip", response_class=Response, responses=ARCHIVE)
async def folder_archive(request: Request, service: ServiceDep, identity: IdentityDep, path: str) -> Response:
    return await _archive(request, service, identity, path)


async def _archive(request: Request, service: Service, identity: Identity, path: str) -> Response:
    folder = folder_of(path)
    manifest = await _manifest(request, service, identity, folder)
    represented = Represented(
        body=Layout(manifest.entries),
        etag=manifest.id,
        modified=manifest.modified,
        media_type="application/zip",
        file_name=f"{folder.rpartition('/')[2] or 'files'}.zip",
    )
    return await answer(request, service.objects, represented)


async def _manifest(request: Request, service: Service, identity: Identity, folder: str) -> Manifest:
    """The folder as it is now, or as it was for the download that this request goes on with."""
    current = await service.database.run(manifest_current, identity, folder, service.settings.manifest_hours)
    for tag in conditional_tags(request):
        if tag == current.id:
            return current
        earlier = await service.database.run(manifest_snapshot, identity, folder, tag)
        if earlier is not None:
            return earlier
    return current
