"""Every answer carries the security headers and its request id, whoever made it; the log tells the same story."""

from __future__ import annotations

import gzip
import re
from typing import Any

import pytest

SAME = "default-src 'none'; script-src 'self'; style-src 'self';"
FIXED = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "strict-origin-when-cross-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}


@pytest.fixture(scope="module")
def full(gateway: Any) -> Any:
    """A gateway with files on disk and upstreams that send headers of their own."""
    (gateway.static / "app.js").write_text("let a = 1;")
    (gateway.static / "app.0123456789ab.js").write_text("let a = 1;" * 100)
    (gateway.static / "app.0123456789ab.js.gz").write_bytes(gzip.compress(b"let a = 1;" * 100))
    (gateway.objects / "b").mkdir(exist_ok=True)
    (gateway.objects / "b" / "one").write_bytes(bytes(range(256)) * 40)
    own = {
        "Content-Security-Policy": "default-src *",
        "X-Frame-Options": "SAMEORIGIN",
        "X-Powered-By": "PHP/5",
        "Server": "WSGI/9.9",
        "X-Request-Id": "theirs",
        "Referrer-Policy": "unsafe-url",
        "Strict-Transport-Security": "max-age=1",
    }
    for upstream in gateway.upstreams.values():
        upstream.routes["/api/v1/files/own"] = upstream.routes["/own/"] = lambda seen: (200, own, b"own")
    gateway.upstreams["files"].routes["/api/v1/files/x/content"] = lambda seen: (
        200,
        {
            "X-Accel-Redirect": "/internal-objects/b/one",
            "Content-Type": "image/png",
            "Content-Disposition": "attachment; filename*=UTF-8''a.png",
            "ETag": '"sha"',
            "Cache-Control": "private, no-cache",
        },
        b"",
    )
    return gateway


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        *(
            ("GET", "/own/", 200),
            ("GET", "/", 200),
            ("GET", "/api/v1/recipes/", 200),
            ("GET", "/api/v1/files/own", 200),
        ),
        *(
            ("GET", "/healthz", 200),
            ("GET", "/metrics", 404),
            ("GET", "/static/app.js", 200),
            ("GET", "/static/no", 404),
        ),
        *(("GET", "/api/v1/files/x/content", 200), ("HEAD", "/api/v1/files/x/content", 200), ("TRACE", "/", 405)),
        *(("GET", "/-/problem.css", 200), ("POST", "/api/v1/recipes/", 200), ("GET", "/swagger/", 200)),
    ],
)
def test_every_answer_has_its_headers_once(full: Any, method: str, path: str, status: int) -> None:
    answer = full.request(method, path)
    assert answer.status_code == status
    for name, value in FIXED.items():
        assert answer.headers.get_list(name) == [value]
    assert len(answer.headers.get_list("content-security-policy")) == 1
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]
    assert len(answer.headers.get_list("permissions-policy")) == 1
    assert re.fullmatch(r"[0-9a-f]{32}", answer.headers["x-request-id"])
    assert answer.headers["server"] == "nginx"
    assert not {"x-powered-by", "x-frame-options", "strict-transport-security"} & set(answer.headers)
    assert not any(name.startswith(("x-accel", "x-fill", "x-ochaq")) for name in answer.headers)


def test_pages_may_load_only_from_here_and_contents_are_sandboxed(full: Any) -> None:
    assert full.get("/students/").headers["content-security-policy"].startswith(SAME)
    assert full.get("/-/problem.css").headers["content-security-policy"].startswith(SAME)
    content = full.get("/api/v1/files/x/content").headers["content-security-policy"]
    assert content.startswith("sandbox; default-src 'none'")
    for path in ("/swagger/", "/redoc/"):
        policy = full.get(path).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "unsafe-eval" not in policy


def test_under_https_the_browser_is_told_to_stay_there(start_gateway: Any) -> None:
    gateway = start_gateway("--public-url", "https://school.test")
    for path in ("/healthz", "/students/", "/metrics"):
        assert gateway.get(path).headers["strict-transport-security"].startswith("max-age=63072000")
    gateway.get("/students/")
    assert gateway.upstreams["web"].seen[-1].headers["x-forwarded-proto"] == "https"


def test_hashed_names_are_kept_for_ever_and_others_asked_for_again(full: Any) -> None:
    hashed = full.get("/static/app.0123456789ab.js", Accept_Encoding="gzip")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["content-encoding"] == "gzip"
    assert hashed.headers["content-type"] == "text/javascript"
    assert hashed.text == "let a = 1;" * 100
    plain = full.get("/static/app.js")
    assert plain.headers["cache-control"] == "no-cache"
    assert full.get("/static/app.js", If_None_Match=plain.headers["etag"]).status_code == 304
    missing = full.get("/static/none.0123456789ab.js")
    assert (missing.status_code, missing.headers["cache-control"]) == (404, "no-store")


def test_nginx_sends_stored_bytes_with_ranges_and_the_services_own_headers(full: Any) -> None:
    path, whole = "/api/v1/files/x/content", bytes(range(256)) * 40
    answer = full.get(path)
    assert answer.content == whole
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["content-disposition"] == "attachment; filename*=UTF-8''a.png"
    assert answer.headers.get_list("etag") == ['"sha"']
    assert answer.headers.get_list("cache-control") == ["private, no-cache"]
    part = full.get(path, Range="bytes=100-199")
    assert (part.status_code, part.content) == (206, whole[100:200])
    assert part.headers["content-range"] == "bytes 100-199/10240"
    assert full.get(path, Range="bytes=-5").content == whole[-5:]
    assert full.get(path, Range="bytes=0-4", If_Range='"sha"').status_code == 206
    assert full.get(path, Range="bytes=0-4", If_Range='"other"').status_code == 200
    beyond = full.get(path, Range="bytes=999999-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, "bytes */10240")
    assert beyond.json()["code"] == "range_not_satisfiable"
    for name in ("x-request-id", "content-security-policy", "x-content-type-options", "cross-origin-opener-policy"):
        assert len(beyond.headers.get_list(name)) == 1
    assert beyond.json()["request_id"] == beyond.headers["x-request-id"]


def test_the_log_has_one_object_per_line_and_no_secrets(full: Any) -> None:
    answer = full.get(
        "/own/?token=SECRET-IN-QUERY", Cookie="sessionid=SECRET-COOKIE", Authorization="Bearer SECRET-BEARER"
    )
    full.get("/accounts/reset/MQ/SECRET-RESET/")
    full.get('/quote"and\\back/é/')
    full.raw(b"NONSENSE\r\n\r\n")
    lines = full.log_lines()
    assert "SECRET" not in str(lines)
    line = next(line for line in lines if line["request_id"] == answer.headers["x-request-id"])
    assert (line["path"], line["status"], line["method"], line["network"]) == ("/own/", 200, "GET", "127.0.0.0")
