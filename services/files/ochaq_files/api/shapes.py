"""What the answers look like."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from ochaq_files.cursors import Page
from ochaq_files.documents import Document, Original, Status
from ochaq_files.folders import Folder
from ochaq_files.inspection import Kind

FILES = "/api/v1/files/"
FOLDERS = "/api/v1/folders/"


def _rfc3339(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_rfc3339, return_type=str)]


class OriginalOut(BaseModel):
    """The oldest file with the same content that the caller may read."""

    id: str
    name: str
    folder: str
    url: str


class FileOut(BaseModel):
    """One file."""

    id: str
    name: str
    folder: str
    size: int
    sha256: str
    media_type: str
    kind: Kind
    status: Status
    failure: str | None
    duplicate_of: OriginalOut | None
    url: str = Field(description="where the bytes are")
    previews: list[str]
    metadata: dict[str, Any]
    version: int = Field(
        description="number of the present content; grows when other content is uploaded under the name"
    )
    owner: str
    created_at: Moment
    modified_at: Moment


class FolderOut(BaseModel):
    """One folder, everything below it counted."""

    path: str
    files: int
    bytes: int


class FilePage(BaseModel):
    results: list[FileOut]
    next: str | None
    previous: str | None


class FolderPage(BaseModel):
    results: list[FolderOut]
    next: str | None
    previous: str | None


class FileChange(BaseModel):
    """What a PATCH may change."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = Field(None, min_length=1, max_length=1024)
    folder: str | None = Field(None, max_length=2048)

    @field_validator("name", "folder")
    @classmethod
    def _is_text(cls, value: str | None) -> str:
        # Runs only for what was sent: leaving a name out keeps it, but there is no file without one.
        if value is None:
            raise ValueError("must be text")
        return value


def file_out(document: Document) -> FileOut:
    return FileOut(
        id=document.id,
        name=document.name,
        folder=document.folder,
        size=document.size,
        sha256=document.sha256,
        media_type=document.media_type,
        kind=document.kind,
        status=document.status,
        failure=document.failure,
        duplicate_of=_original_out(document.duplicate_of),
        url=content_url(document.id),
        previews=[],
        metadata=document.metadata,
        version=document.content_version,
        owner=document.owner,
        created_at=document.created_at,
        modified_at=document.modified_at,
    )


def file_page(page: Page[Document], query: Mapping[str, object], public_url: str) -> FilePage:
    rows = [file_out(document) for document in page.results]
    list_url = public_url + FILES
    return FilePage(results=rows, next=_url(list_url, query, page.next), previous=_url(list_url, query, page.previous))


def folder_page(page: Page[Folder], query: Mapping[str, object], public_url: str) -> FolderPage:
    rows = [FolderOut(path=folder.path, files=folder.files, bytes=folder.bytes) for folder in page.results]
    list_url = public_url + FOLDERS
    return FolderPage(
        results=rows, next=_url(list_url, query, page.next), previous=_url(list_url, query, page.previous)
    )


def content_url(file_id: str) -> str:
    return f"{FILES}{file_id}/content"


def _original_out(original: Original | None) -> OriginalOut | None:
    if original is None:
        return None
    return OriginalOut(id=original.id, name=original.name, folder=original.folder, url=content_url(original.id))


def _url(list_url: str, query: Mapping[str, object], cursor: str | None) -> str | None:
    if cursor is None:
        return None
    kept = {name: value for name, value in query.items() if value is not None}
    return f"{list_url}?{urlencode({**kept, 'cursor': cursor})}"
