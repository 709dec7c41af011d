"""Every path reaches its owner, with the headers it may have and no others."""

from __future__ import annotations

from typing import Any

import pytest

WEB_PATHS = [
    "/students/",
    "/api/v1/students/",
    "/api/v1/filesystem",
    "/ws/",
    "/ws/tasks/",
    "/openapi.json",
    "/students/search/",
]
FILES_PATHS = [
    "/api/v1/files",
    "/api/v1/files/",
    "/api/v1/files/x/content",
    "/api/v1/folders/a/b/archive.zip",
    "/api/v1/uploads/1",
]
SEARCH_PATHS = ["/api/v1/search/students?q=ann", "/students/search/ann", "/students/test/search/ann"]


@pytest.mark.parametrize(
    ("service", "path"),
    [*(("web", p) for p in WEB_PATHS), *(("files", p) for p in FILES_PATHS), *(("search", p) for p in SEARCH_PATHS)],
)
def test_each_path_reaches_its_owner_unchanged(gateway: Any, service: str, path: str) -> None:
    answer = gateway.get(path)
    assert answer.status_code == 200
    assert gateway.upstreams[service].seen[-1].target == path


@pytest.mark.parametrize(
    "path",
    [
        *("/metrics", "/livez", "/readyz?verbose", "/startupz", "/internal/v1/identity", "/internal"),
        *("//internal/v1/identity", "/x/../internal/v1/identity", "/%69nternal/v1/identity", "/internal%2fv1/identity"),
        *("/internal-objects/x", "/-/identity", "/-/problem.json"),
    ],
)
def test_inner_doors_do_not_exist_outside(gateway: Any, path: str) -> None:
    before = len(gateway.upstreams["web"].seen)
    answer = gateway.raw(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert answer.startswith(b"HTTP/1.1 404 ")
    assert b"application/problem+json" in answer
    assert len(gateway.upstreams["web"].seen) == before


def test_the_gateway_says_itself_that_it_is_well(gateway: Any) -> None:
    answer = gateway.get("/healthz")
    assert (answer.status_code, answer.headers["content-type"], answer.json()["status"]) == (
        200,
        "application/json",
        "ok",
    )


def test_headers_that_speak_for_the_gateway_never_come_from_a_client(gateway: Any) -> None:
    spoofed = {
        "X-Ochaq-Identity": "me",
        "X-Ochaq-User": "me",
        "X_Ochaq_Identity": "me",
        "X-User": "me",
        "X-Forwarded-For": "6.6.6.6",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "Forwarded": "for=6.6.6.6",
        "X-Real-IP": "6.6.6.6",
        "X-Request-Id": "chosen-by-the-client",
        "traceparent": "00-11111111111111111111111111111111-1111111111111111-01",
        "X-Original-URI": "/",
    }
    for path, service in (("/api/v1/jobs/", "web"), ("/api/v1/files/", "files"), ("/api/v1/recipes/?spoof=1", "web")):
        answer = gateway.request("GET", path, headers=spoofed)
        got = gateway.upstreams[service].seen[-1].headers
        assert "me" not in got.values()
        assert got["x-forwarded-for"] == "127.0.0.1"
        assert got["x-forwarded-proto"] == "http"
        assert got["x-forwarded-host"] == got["host"] == f"127.0.0.1:{gateway.port}"
        assert not {"forwarded", "x-real-ip", "x-original-uri"} & set(got)
        assert got["x-request-id"] == answer.headers["x-request-id"] != "chosen-by-the-client"
        assert got["traceparent"].split("-")[1] == got["x-request-id"]


def test_what_services_need_passes(gateway: Any) -> None:
    sent = {
        "Idempotency-Key": "k",
        "If-Match": '"1"',
        "Range": "bytes=0-1",
        "Tus-Resumable": "1.0.0",
        "Upload-Offset": "0",
    }
    gateway.request(
        "PATCH",
        "/api/v1/uploads/1",
        headers={**sent, "Content-Type": "application/offset+octet-stream"},
        content=b"abc",
    )
    seen = gateway.upstreams["files"].seen[-1]
    assert seen.body == b"abc"
    assert {name: seen.headers.get(name.lower()) for name in sent} == sent
    assert seen.headers["content-type"] == "application/offset+octet-stream"


def test_web_gets_cookie_and_authorization_as_the_client_sent_them(gateway: Any) -> None:
    gateway.get("/api/v1/users/me/", Cookie="sessionid=abc", Authorization="Bearer x.y.z", X_CSRFToken="t")
    got = gateway.upstreams["web"].seen[-1].headers
    assert (got["cookie"], got["authorization"], got["x-csrftoken"]) == ("sessionid=abc", "Bearer x.y.z", "t")
