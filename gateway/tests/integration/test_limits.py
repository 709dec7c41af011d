"""The strict rates, as they are when nobody sets anything."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest


@pytest.fixture(scope="module")
def strict(start_gateway: Any) -> Any:
    return start_gateway(rates={})


def burst(gateway: Any, method: str, path: str, count: int) -> list[Any]:
    with gateway.client() as client, ThreadPoolExecutor(4) as pool:
        return list(pool.map(lambda _: client.request(method, path), range(count)))


@pytest.mark.parametrize(
    "path", ["/accounts/login/", "/api/token/", "/api/token/refresh/", "/accounts/password_reset/"]
)
def test_guessing_passwords_is_slow(start_gateway: Any, path: str) -> None:
    gateway = start_gateway(rates={})
    answers = burst(gateway, "POST", path, 16)
    refused = [answer for answer in answers if answer.status_code == 429]
    assert 4 <= len(refused) <= 6
    for answer in refused:
        assert answer.json()["code"] == "rate_limited"
        assert int(answer.headers["retry-after"]) == answer.json()["retry_after"] > 1
    assert gateway.get(path).status_code == 200


def test_another_address_in_a_header_changes_nothing(start_gateway: Any) -> None:
    gateway = start_gateway(rates={})
    spoofed = [
        gateway.request("POST", "/api/token/", headers={"X-Forwarded-For": f"10.0.0.{n}"}).status_code
        for n in range(16)
    ]
    assert spoofed.count(429) >= 4


def test_everything_else_has_room_for_a_busy_page_and_no_more(strict: Any) -> None:
    one = b"GET /static/none HTTP/1.1\r\nHost: x\r\n"
    # All on one connection and answered by nginx alone, so that the rate does not depend on how busy this machine is.
    answers = strict.raw((one + b"\r\n") * 599 + one + b"Connection: close\r\n\r\n")
    served, refused = answers.count(b"HTTP/1.1 404 "), answers.count(b"HTTP/1.1 429 ")
    assert served + refused == 600
    assert served >= 200
    assert refused > 0


def test_rates_are_settings(start_gateway: Any) -> None:
    gateway = start_gateway(rates={"OCHAQ_RATE_GENERAL": "1r/s:1", "OCHAQ_RATE_AUTH": "off"})
    assert [gateway.get("/students/").status_code for _ in range(4)].count(429) >= 1
