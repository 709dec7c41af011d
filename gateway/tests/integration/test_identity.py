"""The exchange of a cookie or a bearer token for a token that one service can verify."""

from __future__ import annotations

from typing import Any


def exchange(gateway: Any) -> list[Any]:
    return gateway.upstreams["web"].asked("/internal/v1/identity")


def test_a_service_gets_the_token_made_for_it_and_never_the_cookie(gateway: Any) -> None:
    for path, service in (("/api/v1/files/", "files"), ("/api/v1/search/students?q=a", "search")):
        gateway.get(path, Cookie="sessionid=one", Authorization="")
        got = gateway.upstreams[service].seen[-1].headers
        assert got["authorization"] == f"Bearer token-for-{service}"
        assert "cookie" not in got


def test_a_bearer_token_is_exchanged_too(gateway: Any) -> None:
    gateway.get("/api/v1/files/", Authorization="Bearer access")
    assert gateway.upstreams["files"].seen[-1].headers["authorization"] == "Bearer token-for-files"


def test_web_hears_who_asks_for_what(gateway: Any) -> None:
    gateway.request(
        "POST", "/api/v1/files/?folder=a", headers={"Cookie": "sessionid=two", "Origin": gateway.url}, content=b"secret"
    )
    asked = exchange(gateway)[-1]
    assert asked.method == "GET"
    assert asked.body == b""
    assert asked.headers["x-ochaq-audience"] == "files"
    assert asked.headers["x-original-method"] == "POST"
    assert asked.headers["x-original-uri"] == "/api/v1/files/?folder=a"
    assert asked.headers["origin"] == gateway.url


def test_an_anonymous_request_carries_no_authorization_and_asks_nobody(gateway: Any) -> None:
    before = len(exchange(gateway))
    gateway.get("/api/v1/files/")
    assert "authorization" not in gateway.upstreams["files"].seen[-1].headers
    assert len(exchange(gateway)) == before


def test_an_exchange_without_an_identity_is_anonymous(gateway: Any) -> None:
    gateway.upstreams["web"].routes["/internal/v1/identity"], kept = (
        lambda seen: (204, {"Content-Length": ""}, b""),
        gateway.upstreams["web"].routes["/internal/v1/identity"],
    )
    gateway.get("/api/v1/files/", Cookie="sessionid=expired")
    gateway.upstreams["web"].routes["/internal/v1/identity"] = kept
    assert "authorization" not in gateway.upstreams["files"].seen[-1].headers


def test_the_exchange_is_asked_once_in_five_seconds_for_one_person_and_audience(gateway: Any) -> None:
    before = len(exchange(gateway))
    for _ in range(5):
        gateway.get("/api/v1/files/", Cookie="sessionid=three")
    assert len(exchange(gateway)) == before + 1
    gateway.get("/api/v1/files/", Cookie="sessionid=four")
    gateway.get("/api/v1/search/students", Cookie="sessionid=three")
    gateway.request("POST", "/api/v1/files/", headers={"Cookie": "sessionid=three"})
    gateway.get("/api/v1/files/", Cookie="sessionid=three", Origin="http://other.example")
    assert len(exchange(gateway)) == before + 5


def test_a_wrong_token_is_a_401_problem(gateway: Any) -> None:
    answer = gateway.get("/api/v1/files/", Authorization="Bearer wrong")
    assert (answer.status_code, answer.json()["code"]) == (401, "auth.invalid_token")
    assert answer.headers["www-authenticate"].startswith("Bearer")


def test_another_sites_form_is_a_403_problem(gateway: Any) -> None:
    answer = gateway.request(
        "POST", "/api/v1/files/", headers={"Cookie": "sessionid=x", "Origin": "http://evil.example"}
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.cross_site")


def test_a_failing_exchange_is_a_503_problem_with_retry_after(gateway: Any) -> None:
    before = len(gateway.upstreams["files"].seen)
    answer = gateway.get("/api/v1/files/", Authorization="Bearer broken")
    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert int(answer.headers["retry-after"]) > 0
    assert len(gateway.upstreams["files"].seen) == before


def test_without_web_the_signed_in_wait_and_strangers_are_still_strangers(start_gateway: Any) -> None:
    gateway = start_gateway(dead=("web",))
    signed_in = gateway.get("/api/v1/files/", Cookie="sessionid=x")
    assert (signed_in.status_code, signed_in.json()["code"]) == (503, "unavailable")
    assert gateway.get("/api/v1/files/").status_code == 200
    assert "authorization" not in gateway.upstreams["files"].seen[-1].headers
