"""Whatever goes wrong in nginx itself is told as a problem, or as a page to somebody who reads pages."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from ochaq_shared.problems import kind_of

HTML = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


def check(answer: Any, status: int, code: str) -> dict[str, Any]:
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    body: dict[str, Any] = answer.json()
    assert set(body) - {"retry_after"} == {
        *("type", "title", "status", "detail", "instance", "code", "request_id", "errors")
    }
    assert (body["status"], body["code"], body["title"]) == (status, code, kind_of(code).title)
    assert kind_of(code).status == status
    assert body["type"].endswith(f"/problems/{code}")
    assert body["request_id"] == answer.headers["x-request-id"]
    assert body["instance"] == f"/requests/{body['request_id']}"
    assert answer.headers["cache-control"] == "no-store"
    return body


def test_a_dead_service_is_a_502_with_retry_after_within_two_seconds(start_gateway: Any) -> None:
    gateway = start_gateway(dead=("web", "files", "search", "realtime"))
    for path in (
        "/api/v1/students/",
        "/api/v1/files/",
        "/api/v1/search/students",
        "/api/v1/recipes/",
        "/api/v1/foods/",
    ):
        began = time.monotonic()
        answer = gateway.get(path)
        assert time.monotonic() - began < 2
        assert check(answer, 502, "upstream")["retry_after"] == int(answer.headers["retry-after"])


def test_a_dead_service_is_a_calm_page_for_people(start_gateway: Any) -> None:
    gateway = start_gateway(dead=("web",))
    for path in ("/", "/students/", "/recipes/plov/", "/admin/"):
        answer = gateway.get(path, Accept=HTML)
        assert (answer.status_code, answer.headers["content-type"]) == (502, "text/html; charset=utf-8")
        assert answer.headers["x-request-id"] in answer.text
        assert "style=" not in answer.text
        assert "<script" not in answer.text
    style = gateway.get("/-/problem.css")
    assert (style.status_code, style.headers["content-type"]) == (200, "text/css")
    check(gateway.get("/api/v1/students/", Accept=HTML), 502, "upstream")
    check(gateway.get("/students/", Accept="application/json"), 502, "upstream")


@pytest.mark.parametrize(("path", "headers"), [("/api/v1/jobs/", {}), ("/students/", {"Accept": "application/json"})])
def test_a_body_above_a_megabyte_is_413(gateway: Any, path: str, headers: dict[str, str]) -> None:
    before = len(gateway.upstreams["web"].seen)
    check(gateway.request("POST", path, content=b"x" * (1024 * 1024 + 1), headers=headers), 413, "too_large")
    assert len(gateway.upstreams["web"].seen) == before


def test_files_may_be_larger_than_that(gateway: Any) -> None:
    assert gateway.request("POST", "/api/v1/files/", content=b"x" * 3_000_000).status_code == 200
    assert len(gateway.upstreams["files"].seen[-1].body) == 3_000_000


def test_an_address_that_is_too_long_is_414(gateway: Any) -> None:
    check(gateway.get("/api/v1/recipes/?q=" + "a" * 9000), 414, "uri_too_long")


def test_headers_that_are_too_large_are_400(gateway: Any) -> None:
    check(gateway.get("/api/v1/recipes/", X_Long="a" * 9000), 400, "request.malformed")


def test_a_refused_method_is_405(gateway: Any) -> None:
    check(gateway.request("TRACE", "/api/v1/recipes/"), 405, "method_not_allowed")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /api/v1/recipes/ HTTP/1.1\r\n\r\n",
        b"NONSENSE\r\n\r\n",
        b"GET / HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n",
    ],
)
def test_a_request_that_is_no_http_is_a_400_problem_and_reaches_nobody(gateway: Any, request_bytes: bytes) -> None:
    before = len(gateway.upstreams["web"].seen)
    answer = gateway.raw(request_bytes)
    assert b" 400 " in answer.split(b"\r\n", 1)[0]
    assert b"application/problem+json" in answer
    assert b'"code":"request.malformed"' in answer
    assert b"nginx/" not in answer
    assert len(gateway.upstreams["web"].seen) == before


def test_a_problem_of_a_service_passes_as_it_is(gateway: Any) -> None:
    body = b'{"code":"students.email_taken","status":409}'
    for service, path in (
        ("web", "/api/v1/students/"),
        ("files", "/api/v1/files/gone"),
        ("search", "/api/v1/search/x"),
    ):
        for status in (400, 401, 403, 404, 409, 422, 429, 500, 503):
            gateway.upstreams[service].routes[path] = lambda seen, status=status: (
                status,
                {"Content-Type": "application/problem+json", "Retry-After": "7" if status in (429, 503) else ""},
                body,
            )
            answer = gateway.get(path)
            assert (answer.status_code, answer.content) == (status, body)
            assert answer.headers.get("retry-after") == ("7" if status in (429, 503) else None)
        del gateway.upstreams[service].routes[path]


@pytest.mark.parametrize("path", ["/api/v1/recipes", "/api/v1/foods", "/recipes"])
def test_an_address_without_its_slash_is_webs_to_answer(gateway: Any, path: str) -> None:
    gateway.get(path)
    assert gateway.upstreams["web"].seen[-1].path == path


def test_a_slow_service_is_a_504(start_gateway: Any) -> None:
    gateway = start_gateway()
    conf = gateway.directory / "conf" / "upstreams.conf"
    conf.write_text(conf.read_text().replace("proxy_read_timeout 30s", "proxy_read_timeout 1s"))
    gateway.reload()
    told = threading.Event()

    def slow(_seen: Any) -> Any:
        told.wait(10)
        return 200, {}, b""

    gateway.upstreams["web"].routes["/api/v1/slow/"] = slow
    answer = gateway.get("/api/v1/slow/")
    told.set()
    check(answer, 504, "upstream.timeout")
    assert int(answer.headers["retry-after"]) > 0
