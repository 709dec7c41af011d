"""The HTTP door, on a real index and real tokens."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import pytest_asyncio
from ochaq_search.api.app import make_app
from ochaq_search.engines.base import StudentRow
from ochaq_search.engines.tantivy.reader import TantivyReader
from ochaq_search.following import Follower
from ochaq_search.students import StudentSearch
from ochaq_shared.health import Health
from ochaq_shared.identity import Signer, Verifier, create_keys

USER = "0192f0c1-0000-7000-8000-000000000001"
ROWS = [
    StudentRow(1, "Gulsen", "<b>O'Neil</b>", "gulsen@example.com", False, 1),
    StudentRow(2, "Ann/Marie", "C++ & co", "ann@example.com", False, 1),
    *(StudentRow(number, "Bulk", "Row", f"bulk{number}@example.com", True, 1) for number in range(10, 310)),
]
PATHS = ("/students/search/", "/students/test/search/")


@pytest_asyncio.fixture
async def door(tmp_path: Path, indexed: Callable[..., TantivyReader]) -> AsyncIterator[httpx.AsyncClient]:
    create_keys(tmp_path / "keys", ["web", "search", "worker"])
    reader = indexed(*ROWS)
    health = Health("search", "serve")
    verifier = Verifier(tmp_path / "keys" / "jwks.json", "search")
    app: Any = make_app(
        StudentSearch(reader, remembered=16), verifier, health, Follower(reader).running, "http://ochaq.test"
    )
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://search") as client:
        client.headers["Authorization"] = f"Bearer {token(tmp_path, 'manager')}"
        yield client


def token(tmp_path: Path, *roles: str, audience: str = "search", issuer: str = "web", subject: str = USER) -> str:
    return Signer(tmp_path / "keys" / f"{issuer}.pem", issuer).sign(audience, subject, roles=roles)


async def test_both_answer_shapes_find_a_misspelt_name(door: httpx.AsyncClient) -> None:
    answer = await door.get("/api/v1/search/students", params={"q": "Gülşne"})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    found = answer.json()
    assert set(found) == {"query", "took_ms", "total", "results"}
    assert (found["query"], found["total"]) == ("Gülşne", 1)
    (hit,) = found["results"]
    assert hit["highlight"] == {"first_name": "<mark>Gulsen</mark>", "email": "<mark>gulsen</mark>@example.com"}
    assert hit["score"] > 0
    assert hit["last_name"] == "<b>O'Neil</b>"
    expected = {"success": True, "students": [["Gulsen", "<b>O'Neil</b>", "gulsen@example.com"]]}
    for path in PATHS:
        assert (await door.get(path + quote("Gülşne"))).json() == expected


async def test_names_in_a_path_may_hold_anything(door: httpx.AsyncClient) -> None:
    for name in ("Ann/Marie", "ann marie", "C++ & co?", "%41nn", "a#b ann", "ann\\", "ann;x=1", "\u202eann", "/ann/"):
        first, second = [(await door.get(path + quote(name, safe=""))) for path in PATHS]
        assert first.status_code == second.status_code == 200, name
        assert first.json() == second.json()
    assert (await door.get("/students/search/" + quote("ann/marie", safe=""))).json()["students"][0][0] == "Ann/Marie"


async def test_the_older_shape_gives_two_hundred_at_most(door: httpx.AsyncClient) -> None:
    assert len((await door.get("/students/search/bulk")).json()["students"]) == 200
    answer = (await door.get("/api/v1/search/students", params={"q": "bulk"})).json()
    assert (answer["total"], len(answer["results"])) == (300, 25)


@pytest.mark.parametrize(
    "params",
    [
        {}, {"q": ""}, {"q": "a" * 201}, {"q": "a", "limit": -1}, {"q": "a", "limit": 0}, {"q": "a", "limit": 201},
        {"q": "a", "limit": "many"}, {"q": "a", "limit": "1.5"}, {"q": "a", "offset": -1}, {"q": "a", "offset": 10_001},
    ],
)  # fmt: skip
async def test_wrong_parameters_are_named(door: httpx.AsyncClient, params: dict[str, Any]) -> None:
    answer = await door.get("/api/v1/search/students", params=params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "request.invalid"
    assert answer.json()["errors"][0]["pointer"] in {"q", "limit", "offset"}


@pytest.mark.parametrize("params", [{"q": "a" * 200}, {"q": "a", "limit": 200, "offset": 10_000}, {"q": " "}])
async def test_the_limits_themselves_are_allowed(door: httpx.AsyncClient, params: dict[str, Any]) -> None:
    assert (await door.get("/api/v1/search/students", params=params)).status_code == 200


async def test_a_name_too_long_for_the_older_paths_is_refused_too(door: httpx.AsyncClient) -> None:
    for path in PATHS:
        assert (await door.get(path + "a" * 201)).status_code == 422
        assert (await door.get(path)).status_code in {404, 422}


async def test_only_staff_may_search(door: httpx.AsyncClient, tmp_path: Path) -> None:
    paths = ("/api/v1/search/students?q=ann", "/api/v1/search/students", "/students/search/ann")
    cases = {
        None: 401,
        "Basic abc": 401,
        "Bearer x.y.z": 401,
        f"Bearer {token(tmp_path)}": 403,
        f"Bearer {token(tmp_path, 'student', 'customer', 'operator')}": 403,
        f"Bearer {token(tmp_path, 'manager', audience='files')}": 401,
        f"Bearer {token(tmp_path, 'manager', issuer='worker')}": 401,
        f"Bearer {token(tmp_path, issuer='worker', subject='service:worker')}": 403,
    }
    for path in paths:
        for authorization, status in cases.items():
            headers = {"Authorization": authorization} if authorization else {}
            door.headers.pop("Authorization", None)
            answer = await door.get(path, headers=headers)
            assert answer.status_code == status, (path, authorization)
            assert answer.headers["content-type"] == "application/problem+json"


async def test_other_methods_and_paths_are_problems(door: httpx.AsyncClient) -> None:
    assert (await door.post("/api/v1/search/students")).json()["code"] == "method_not_allowed"
    assert (await door.get("/api/v1/search/students/")).json()["code"] == "not_found"
    assert (await door.get("/docs")).status_code == 404


async def test_the_interface_describes_itself(door: httpx.AsyncClient) -> None:
    described = (await door.get("/openapi.json")).json()
    assert described["openapi"].startswith("3.1")
    assert "/api/v1/search/students" in described["paths"]


async def test_the_counts_are_for_those_who_oversee(door: httpx.AsyncClient, tmp_path: Path) -> None:
    path = "/api/v1/search/students/stats"
    for role in ("manager", "instructor", "operator"):
        found = await door.get(path, headers={"Authorization": f"Bearer {token(tmp_path, role)}"})
        assert (found.json()["documents"], found.json()["demo_documents"]) == (302, 300)
    refused = await door.get(path, headers={"Authorization": f"Bearer {token(tmp_path, 'student')}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "auth.forbidden")
    del door.headers["Authorization"]
    assert (await door.get(path)).status_code == 401
