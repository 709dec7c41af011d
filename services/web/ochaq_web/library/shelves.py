"""What one folder of the files service holds, as its owner asks for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import httpx
from ochaq_shared.http import InternalClient, Unavailable, UpstreamProblem
from ochaq_shared.problems import Problem, code_for_status

from ochaq_web.config.environment import environment
from ochaq_web.core.identity import signer

# A page waits for a person, not for a job: better an honest "not now" after two seconds.
TIMEOUT = httpx.Timeout(2.0, connect=0.5)
PAGE_SIZE = 50
MOST_FOLDERS = 200


@dataclass(frozen=True)
class Shelf:
    """One page of one folder, or the problem that stands in its place."""

    folder: str
    folders: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)
    next_url: str | None = None
    previous_url: str | None = None
    problem: Problem | None = None


def shelf(*, folder: str, cursor: str | None, token: str) -> Shelf:
    """Ask files for a folder's sub-folders and files on behalf of the token's user."""
    try:
        folders = _get("/api/v1/folders/", token, {"under": folder, "limit": MOST_FOLDERS})
        query = {"folder": folder, "limit": PAGE_SIZE, **({"cursor": cursor} if cursor else {})}
        files = _get("/api/v1/files/", token, query)
    except Unavailable:
        return Shelf(folder, problem=Problem("unavailable", retry_after=5))
    except UpstreamProblem as refused:
        return Shelf(folder, problem=Problem(code_for_status(refused.status)))
    return Shelf(
        folder,
        folders=[_folder(item) for item in folders["results"]],
        files=files["results"],
        next_url=_page_url(folder, files.get("next")),
        previous_url=_page_url(folder, files.get("previous")),
    )


def crumbs(folder: str) -> list[dict[str, str]]:
    """The way from the root to a folder."""
    parts = [part for part in folder.split("/") if part]
    return [{"name": part, "url": folder_url("/".join(parts[: index + 1]))} for index, part in enumerate(parts)]


def folder_url(path: str) -> str:
    return f"/files/?{urlencode({'folder': path})}" if path else "/files/"


def archive_url(folder: str) -> str | None:
    return f"/api/v1/folders/{quote(folder)}/archive.zip" if folder else None


@cache
def _client() -> InternalClient:
    return InternalClient(environment().files_url, signer(), "files")


def _get(path: str, token: str, params: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = _client().request("GET", path, token=token, params=params, timeout=TIMEOUT).json()
    return found


def _folder(item: dict[str, Any]) -> dict[str, Any]:
    return {**item, "name": item["path"].rpartition("/")[2], "url": folder_url(item["path"])}


def _page_url(folder: str, api_url: str | None) -> str | None:
    """The page that shows what the API's `next` would."""
    if not api_url:
        return None
    cursor = parse_qs(urlsplit(api_url).query)["cursor"][0]
    return f"/files/?{urlencode({'folder': folder, 'cursor': cursor} if folder else {'cursor': cursor})}"
