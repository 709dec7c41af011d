"""What every route asks of a request: the service, who is asking, which page."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Query, Request
from ochaq_shared.identity import Identity, bearer
from ochaq_shared.problems import Problem

from ochaq_files import names
from ochaq_files.service import Service


def service_of(request: Request) -> Service:
    found: Service = request.app.state.service
    return found


def identity_of(request: Request) -> Identity:
    """Who is asking; raises `auth.required` for nobody and `auth.invalid_token` for a token that does not hold."""
    token = bearer(request.headers.get("authorization"))
    if token is None:
        raise Problem("auth.required", headers={"WWW-Authenticate": "Bearer"})
    identity = service_of(request).verifier.verify(token)
    if not identity.is_service and not is_id(identity.subject):
        raise Problem("auth.invalid_token")
    return identity


def folder_of(path: str) -> str:
    """A folder named in an address; an impossible one does not exist."""
    try:
        return names.folder_path(path)
    except Problem as unfit:
        raise Problem("not_found", "There is no such folder.") from unfit


def is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def is_text(text: str) -> bool:
    """True for what PostgreSQL can hold as text."""
    return "\0" not in text and text.isprintable()


ServiceDep = Annotated[Service, Depends(service_of)]
IdentityDep = Annotated[Identity, Depends(identity_of)]
Limit = Annotated[int, Query(ge=1, le=200, description="rows a page")]
CursorText = Annotated[str | None, Query(max_length=4096, description="a place in the list, from `next` or `previous`")]
