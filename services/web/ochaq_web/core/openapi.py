"""One description of the API: our own, and those that files and search give of theirs.

A service that does not answer is named in the description; the document itself never fails because of it.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import httpx
import structlog
from drf_spectacular.generators import SchemaGenerator

from ochaq_web.config.environment import environment

log = structlog.get_logger(__name__)

FRESH_SECONDS = 60.0
INCOMPLETE_SECONDS = 3.0
TIMEOUT = httpx.Timeout(1.5, connect=0.5)
_TEXT = {"type": "string"}
PROBLEM: dict[str, Any] = {
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code", "request_id", "errors"],
    "properties": {
        **dict.fromkeys(("type", "title", "detail", "instance", "code", "request_id"), _TEXT),
        "status": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {"type": "object", "properties": dict.fromkeys(("pointer", "code", "detail"), _TEXT)},
        },
    },
}
METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}

_lock = threading.Lock()
_known: tuple[float, dict[str, Any]] | None = None


def outward_only(endpoints: list[Any], **kwargs: Any) -> list[Any]:
    """drf-spectacular's preprocessing hook: what the gateway does not let in is not described."""
    return [endpoint for endpoint in endpoints if endpoint[0].startswith("/api/")]


def document() -> dict[str, Any]:
    """The merged OpenAPI 3.1 document, at most a minute old."""
    global _known
    with _lock:
        if _known is None or time.monotonic() > _known[0]:
            merged = merge(_own(), _others())
            lasting = INCOMPLETE_SECONDS if merged["info"].get("x-missing") else FRESH_SECONDS
            _known = (time.monotonic() + lasting, merged)
        return _known[1]


def merge(own: dict[str, Any], others: dict[str, dict[str, Any] | None]) -> dict[str, Any]:
    """`own` plus each other service's paths and components; components get the service's name in front."""
    merged = {
        **own,
        "paths": dict(own.get("paths", {})),
        "components": {k: dict(v) for k, v in own.get("components", {}).items()},
    }
    missing = sorted(name for name, found in others.items() if found is None)
    merged["info"] = dict(own["info"])
    if missing:
        merged["info"]["x-missing"] = missing
        merged["info"]["description"] += (
            f"\n\nNot described right now, because they do not answer: {', '.join(missing)}."
        )
    for name, found in sorted(others.items()):
        if found is not None:
            _add(merged, name, found)
    _tell_problems(merged)
    return merged


def _tell_problems(merged: dict[str, Any]) -> None:
    """Every door answers what went wrong in one shape, which neither DRF nor FastAPI describes by itself."""
    merged["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    answer = {
        "description": "What went wrong (RFC 9457)",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    for path, item in merged["paths"].items():
        merged["paths"][path] = {
            key: {**value, "responses": {**_without_guesses(value.get("responses", {})), "default": answer}}
            if key in METHODS
            else value
            for key, value in item.items()
        }


def _without_guesses(responses: dict[str, Any]) -> dict[str, Any]:
    """FastAPI describes its own validation errors, which our handlers replace."""
    return {
        status: told for status, told in responses.items() if status != "422" or "application/json" not in str(told)
    }


def _add(merged: dict[str, Any], name: str, found: dict[str, Any]) -> None:
    renamed = _prefixed(found, name)
    for kind, entries in renamed.get("components", {}).items():
        if kind != "securitySchemes":
            merged["components"].setdefault(kind, {}).update({f"{name}.{key}": value for key, value in entries.items()})
    for path, item in renamed.get("paths", {}).items():
        if path.startswith("/internal"):
            continue
        merged["paths"].setdefault(path, {}).update(
            {key: _tagged(value, name) if key in METHODS else value for key, value in item.items()}
        )


def _prefixed(value: Any, name: str) -> Any:
    """The document with every reference to a component renamed, except to security schemes, which are ours."""
    if isinstance(value, list):
        return [_prefixed(item, name) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _renamed(item, name) if key == "$ref" and isinstance(item, str) else _prefixed(item, name)
        for key, item in value.items()
    }


def _renamed(reference: str, name: str) -> str:
    head, _, last = reference.rpartition("/")
    return f"{head}/{name}.{last}" if reference.startswith("#/components/") else reference


def _tagged(operation: dict[str, Any], name: str) -> dict[str, Any]:
    tagged = {**operation, "tags": operation.get("tags") or [name], "security": [{"bearer": []}, {"session": []}]}
    if "operationId" in operation:
        tagged["operationId"] = f"{name}_{operation['operationId']}"
    return tagged


@cache
def _own() -> dict[str, Any]:
    generated: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return generated


def _others() -> dict[str, dict[str, Any] | None]:
    urls = {"files": environment().files_url, "search": environment().search_url}
    with ThreadPoolExecutor(max_workers=len(urls)) as pool:
        return dict(zip(urls, pool.map(_fetch, urls.values()), strict=True))


def _fetch(url: str) -> dict[str, Any] | None:
    try:
        response = httpx.get(f"{url}/openapi.json", timeout=TIMEOUT, trust_env=False)
        found = response.raise_for_status().json()
    except (httpx.HTTPError, ValueError) as error:
        log.warning("openapi.missing", url=url, error=type(error).__name__)
        return None
    return found if isinstance(found, dict) and "paths" in found else None
