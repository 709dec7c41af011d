"""`GET /api/v1/search/students` and the two older paths of the first lesson."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query, Request
from ochaq_shared.identity import Identity, Verifier, bearer
from pydantic import BaseModel

from ochaq_search import students
from ochaq_search.api.answers import FastJSON
from ochaq_search.policy import may_search_students, may_see_counts
from ochaq_search.students import StudentSearch

router = APIRouter()


class Result(BaseModel):
    """One found student; `highlight` holds escaped HTML, with `<mark>`, for each field in which something matched."""

    id: int
    first_name: str
    last_name: str
    email: str
    score: float
    highlight: dict[str, str]


class Found(BaseModel):
    """`total` counts all matching students; `results` is the page asked for, best first."""

    query: str
    took_ms: float
    total: int
    results: list[Result]


class Listed(BaseModel):
    """At most 200 students, best first, each as first name, last name, e-mail."""

    success: bool
    students: list[tuple[str, str, str]]


class Counted(BaseModel):
    """What the newest commit of the index holds."""

    generation: str
    documents: int
    demo_documents: int


def identity_of(request: Request) -> Identity | None:
    """The identity in the request's token; None without a token."""
    verifier: Verifier = request.app.state.verifier
    token = bearer(request.headers.get("authorization"))
    return verifier.verify(token) if token else None


def searcher(identity: Annotated[Identity | None, Depends(identity_of)]) -> Identity:
    return may_search_students(identity)


def overseer(identity: Annotated[Identity | None, Depends(identity_of)]) -> Identity:
    return may_see_counts(identity)


def student_search(request: Request) -> StudentSearch:
    search: StudentSearch = request.app.state.students
    return search


Allowed = Annotated[Identity, Depends(searcher)]
Oversees = Annotated[Identity, Depends(overseer)]
Search = Annotated[StudentSearch, Depends(student_search)]
Text = Annotated[str, Query(min_length=1, max_length=students.MAX_QUERY, description="a name or e-mail, or nearly")]
Limit = Annotated[int, Query(ge=1, le=students.MAX_LIMIT)]
Offset = Annotated[int, Query(ge=0, le=students.MAX_OFFSET)]
Name = Annotated[str, Path(min_length=1, max_length=students.MAX_QUERY)]


@router.get("/api/v1/search/students", response_model=Found)
async def search_students(
    _: Allowed, search: Search, q: Text, limit: Limit = students.DEFAULT_LIMIT, offset: Offset = 0
) -> FastJSON:
    """Students by a possibly misspelt name or e-mail."""
    began = time.perf_counter()
    page = search.find(q, limit=limit, offset=offset)
    took = round((time.perf_counter() - began) * 1000, 3)
    return FastJSON({"query": q, "took_ms": took, "total": page.total, "results": page.hits})


@router.get("/api/v1/search/students/stats", response_model=Counted)
async def count_students(_: Oversees, search: Search) -> FastJSON:
    """How many students can be found; managers, instructors and operators."""
    return FastJSON(search.counts())


@router.get("/students/search/{name:path}", response_model=Listed)
@router.get("/students/test/search/{name:path}", response_model=Listed)
async def list_students(_: Allowed, search: Search, name: Name) -> FastJSON:
    """The same search in the shape of the first lesson."""
    page = search.find(name, limit=students.WHOLE, offset=0)
    return FastJSON({"success": True, "students": [(hit.first_name, hit.last_name, hit.email) for hit in page.hits]})
