"""Bad input to every door: the right status as a problem, and nothing changed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from campus import Campus
from ochaq_servers import Platform

pytestmark = pytest.mark.platform

JSON = {"Content-Type": "application/json"}
NOBODY = "00000000-0000-7000-8000-000000000000"
STUDENT = {"first_name": "Ada", "last_name": "Aşçı", "age": 20}
GENERATE = {"kind": "students.generate", "params": {"count": 5}}


def case(role: str | None, method: str, path: str, status: int, **options: Any) -> Any:
    name = f"{role or 'anonymous'} {method} {path} {str(options)[:60]}"
    return pytest.param(role, method, path, status, options, id=name)


CASES = [
    case(None, "GET", "/api/v1/recipes/999999999/", 404),
    case(None, "GET", "/api/v1/recipes/99999999999999999999999/", 404),
    case(None, "GET", "/api/v1/recipes/abc/", 404),
    case(None, "GET", "/api/v1/nothing/", 404),
    case(None, "GET", "/api/v1/recipes/", 422, params={"limit": "many"}),
    case(None, "GET", "/api/v1/recipes/", 422, params={"limit": "0"}),
    case(None, "GET", "/api/v1/recipes/", 422, params={"limit": "201"}),
    case(None, "GET", "/api/v1/recipes/", 422, params={"cursor": "%%%"}),
    case(None, "POST", "/api/v1/recipes/", 401, json={"name": "x"}),
    case("student", "POST", "/api/v1/recipes/", 403, json={"name": "x"}),
    case("customer", "POST", "/api/v1/recipes/", 403, json={"name": "x"}),
    case("manager", "POST", "/api/v1/recipes/", 422, json={"name": ""}),
    case("manager", "POST", "/api/v1/recipes/", 400, content=b'{"name": ', headers=JSON),
    case("manager", "POST", "/api/v1/recipes/", 400, content=b"\xff\xfe{}", headers=JSON),
    case("manager", "POST", "/api/v1/recipes/", 400, content=b"[" * 100_000, headers=JSON),
    case("manager", "POST", "/api/v1/recipes/", 415, content=b"x=1", headers={"Content-Type": "text/plain"}),
    case("manager", "POST", "/api/v1/recipes/", 413, content=b"x" * 3_000_000, headers=JSON),
    case("manager", "PUT", "/api/v1/recipes/", 405, json={}),
    case("manager", "DELETE", "/api/v1/recipes/999999999/", 404),
    case(None, "GET", "/api/v1/students/", 401),
    case("customer", "GET", "/api/v1/students/", 403),
    case("student", "GET", "/api/v1/students/", 403),
    case("instructor", "POST", "/api/v1/students/", 403, json={**STUDENT, "email": "a@school.example"}),
    case("manager", "POST", "/api/v1/students/", 422, json={**STUDENT, "email": "no"}),
    case("manager", "POST", "/api/v1/students/", 422, json={**STUDENT, "email": "a@school.example", "age": -1}),
    case("manager", "POST", "/api/v1/students/", 422, json={**STUDENT, "email": "a@school.example", "age": True}),
    case(
        "manager", "POST", "/api/v1/students/", 422, json={**STUDENT, "email": "a@school.example", "first_name": "a\0"}
    ),
    case(
        "manager",
        "POST",
        "/api/v1/students/",
        422,
        json={**STUDENT, "email": "a@school.example", "last_name": "a" * 9999},
    ),
    case("manager", "POST", "/api/v1/students/", 422, json=STUDENT),
    case("manager", "PATCH", "/api/v1/students/999999999/", 404, json={"age": 3}),
    case("manager", "GET", "/api/v1/students/", 422, params={"age_min": "old"}),
    *(
        case("manager", "POST", "/api/v1/jobs/", 422, json={"kind": "students.generate", "params": params})
        for params in ({"count": 0}, {"count": -5}, {"count": "ten"}, {"count": 10**9}, {"count": 1.5}, {"count": True})
    ),
    case("manager", "POST", "/api/v1/jobs/", 422, json={"kind": "students.generate", "params": {"cuont": 5}}),
    case("manager", "POST", "/api/v1/jobs/", 422, json={"kind": "students.generate", "params": []}),
    case("manager", "POST", "/api/v1/jobs/", 422, json={"kind": "os.system", "params": {}}),
    case("manager", "POST", "/api/v1/jobs/", 422, json={}),
    case("student", "POST", "/api/v1/jobs/", 403, json=GENERATE),
    case(None, "POST", "/api/v1/jobs/", 401, json=GENERATE),
    case("manager", "GET", f"/api/v1/jobs/{NOBODY}/", 404),
    case("manager", "POST", "/api/v1/jobs/not-a-uuid/cancel/", 404),
    case(None, "GET", "/api/v1/users/me/", 401),
    case(None, "GET", "/api/v1/users/me/", 401, headers={"Authorization": "Bearer x.y.z"}),
    case(
        None, "GET", "/api/v1/users/me/", 401, headers={"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0."}
    ),
    case(None, "GET", "/api/v1/files/", 401, headers={"Authorization": "Bearer x.y.z"}),
    case(None, "GET", "/api/v1/files/", 401),
    case(None, "GET", "/api/v1/files/", 401, headers={"X-Ochaq-Identity": "1", "X-User": "1", "X_Ochaq_Identity": "1"}),
    case("manager", "GET", f"/api/v1/files/{NOBODY}", 404),
    case("manager", "GET", "/api/v1/files/xyz", 422),
    case("manager", "DELETE", f"/api/v1/files/{NOBODY}", 404),
    case("manager", "POST", "/api/v1/files/", 422, data={"folder": "x"}),
    case("manager", "POST", "/api/v1/files/", 422, files={"file": ("x", b"1")}, data={"folder": "../../etc"}),
    case("manager", "GET", "/api/v1/folders/no/such/archive.zip", 404),
    case("manager", "GET", "/api/v1/files/", 422, params={"limit": "-1"}),
    case(None, "GET", "/api/v1/search/students", 401, params={"q": "ann"}),
    case("student", "GET", "/api/v1/search/students", 403, params={"q": "ann"}),
    case("manager", "GET", "/api/v1/search/students", 422),
    case("manager", "GET", "/api/v1/search/students", 422, params={"q": ""}),
    case("manager", "GET", "/api/v1/search/students", 422, params={"q": "a", "limit": -1}),
    case("manager", "GET", "/api/v1/search/students", 422, params={"q": "a", "offset": 10_001}),
    case("manager", "GET", "/api/v1/search/students", 422, params={"q": "a" * 201}),
    *(
        case("manager", "GET", path, 404)
        for path in ("/metrics", "/livez", "/readyz", "/internal/v1/identity", "/internal/v1/students/stream")
    ),
]


State = Callable[[], list[Any]]


@pytest.fixture(scope="module")
def state(platform: Platform) -> Iterator[State]:
    """How much there is of everything a door could change."""
    of_web = "SELECT (SELECT count(*) FROM {}), (SELECT count(*) FROM {}), (SELECT count(*) FROM {})"
    query = of_web.format("cookbook_recipe", "student", "job").encode()
    with platform.connected("web") as web, platform.connected("files") as files:
        yield lambda: [web.execute(query).fetchall(), files.execute(b"SELECT count(*) FROM file").fetchall()]


@pytest.mark.parametrize(("role", "method", "path", "status", "options"), CASES)
def test_bad_input_is_a_problem_and_changes_nothing(
    campus: Campus, state: State, role: str | None, method: str, path: str, status: int, options: dict[str, Any]
) -> None:
    before = state()
    answer = campus.client(role).request(method, path, **options)
    check_problem(answer, status)
    assert state() == before


def check_problem(answer: httpx.Response, status: int) -> None:
    assert answer.status_code == status, answer.text[:300]
    assert answer.headers["content-type"].startswith("application/problem+json")
    body = answer.json()
    assert body["status"] == status
    assert {"type", "title", "detail", "instance", "code", "errors"} <= set(body)
    assert body["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text


def test_malformed_multipart_is_refused(campus: Campus) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    check_problem(campus.client("manager").post("/api/v1/files/", content=b"nonsense", headers=headers), 400)


def test_a_number_too_large_for_any_type_is_invalid(campus: Campus) -> None:
    body = b'{"first_name": "a", "last_name": "b", "email": "a2@school.example", "age": 1e400}'
    answer = campus.client("manager").post("/api/v1/students/", content=body, headers=JSON)
    assert answer.status_code in {400, 422}


def test_query_syntax_is_plain_text(campus: Campus) -> None:
    answer = campus.client("manager").get("/api/v1/search/students", params={"q": '"(*:* AND [a TO b]) \\ <script>'})
    assert answer.status_code == 200
    assert "<script>" not in json.dumps([hit["highlight"] for hit in answer.json()["results"]])


def test_an_idempotency_key_replays_and_guards(campus: Campus) -> None:
    manager = campus.client("manager")
    key = {"Idempotency-Key": str(uuid.uuid4())}
    purge = {"kind": "students.purge", "params": {}}
    first = manager.post("/api/v1/jobs/", json=purge, headers=key)
    again = manager.post("/api/v1/jobs/", json=purge, headers=key)
    assert (first.status_code, again.status_code) == (202, 202)
    assert first.json()["id"] == again.json()["id"]
    assert again.headers["idempotency-replayed"] == "true"
    check_problem(manager.post("/api/v1/jobs/", json=GENERATE, headers=key), 422)


def test_a_foreign_job_is_not_found(campus: Campus) -> None:
    job = campus.client("manager").post("/api/v1/jobs/", json={"kind": "students.purge", "params": {}}).json()
    check_problem(campus.client("student").get(f"/api/v1/jobs/{job['id']}/"), 404)
    assert campus.client("operator").get(f"/api/v1/jobs/{job['id']}/").status_code == 200


def test_a_job_that_is_over_cannot_be_cancelled(campus: Campus, platform: Platform) -> None:
    manager = campus.client("manager")
    job = manager.post("/api/v1/jobs/", json={"kind": "students.purge", "params": {}}).json()
    for _ in range(200):
        if manager.get(f"/api/v1/jobs/{job['id']}/").json()["status"] == "succeeded":
            break
    check_problem(manager.post(f"/api/v1/jobs/{job['id']}/cancel/"), 409)


def test_every_answer_carries_the_security_headers(campus: Campus) -> None:
    for path in (
        "/",
        "/api/v1/recipes/",
        "/api/v1/nothing/",
        "/static/nothing.css",
        "/healthz",
        "/accounts/login/",
        "/metrics",
    ):
        headers = campus.client().get(path).headers
        for name in ("x-request-id", "x-content-type-options", "content-security-policy", "referrer-policy"):
            assert len(headers.get_list(name)) == 1, f"{path} with {headers.get_list(name)} as {name}"
        assert "x-powered-by" not in headers
        assert not any(letter.isdigit() for letter in headers.get("server", ""))


def test_a_clients_own_request_id_is_ignored(campus: Campus) -> None:
    answer = campus.client().get("/api/v1/recipes/", headers={"X-Request-Id": "mine-mine-mine"})
    assert answer.headers["x-request-id"] != "mine-mine-mine"
