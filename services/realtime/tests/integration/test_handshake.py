"""Who gets a socket, and what everybody else is told."""

from __future__ import annotations

from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

USER = "018f0000-0000-7000-8000-000000000001"
OWN = "http://school.test:8080"


async def test_a_signed_in_person_is_welcomed_with_the_heartbeat(realtime: Any) -> None:
    async with realtime.client(USER) as client:
        assert await client.next() == {"type": "welcome", "heartbeat_s": 25}


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "null",
        "HTTP://SCHOOL.TEST:8080",
        OWN + "/",
        "http://school.test:8081",
        "http://sub.school.test:8080",
        "http://school.test.evil.example:8080",
        "http://school.test",
        "https://school.test:8080",
    ],
)
async def test_a_foreign_page_is_refused_before_the_upgrade(realtime: Any, origin: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with realtime.client(USER, origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_an_origin_that_is_none_is_refused_too(realtime: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with realtime.client(USER, origin="http://school.test:80800"):
            pass
    assert refused.value.response.status_code in (400, 403)


async def test_without_an_origin_a_client_must_be_somebody(realtime: Any) -> None:
    async with realtime.client(USER, origin=None) as client:
        assert (await client.next())["type"] == "welcome"
    with pytest.raises(InvalidStatus) as refused:
        async with realtime.client("", origin=None):
            pass
    assert refused.value.response.status_code == 403


async def test_a_stranger_is_let_in_only_to_be_told_4401(realtime: Any) -> None:
    async with realtime.client("") as client:
        assert await client.close_code() == 4401
    assert client.seen == []


@pytest.mark.parametrize("kind", ["foreign audience", "nonsense", "basic", "none algorithm"])
async def test_a_token_that_does_not_hold_is_a_stranger(realtime: Any, kind: str) -> None:
    authorization = {
        "foreign audience": f"Bearer {realtime.token(USER, audience='files')}",
        "nonsense": "Bearer x.y.z",
        "basic": "Basic abc",
        "none algorithm": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiIxIn0.",
    }[kind]
    async with realtime.connect("/ws/", {"Authorization": authorization}, OWN) as found:
        await found.wait_closed()
        assert found.close_code == 4401


async def test_a_service_has_no_business_on_a_socket(realtime: Any) -> None:
    token = realtime.signer.sign("realtime", "service:web")
    async with realtime.connect("/ws/", {"Authorization": f"Bearer {token}"}, OWN) as found:
        await found.wait_closed()
        assert found.close_code == 4403


async def test_there_are_no_sockets_at_other_addresses(realtime: Any) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with realtime.client(USER, path="/ws/other/"):
            pass
    assert refused.value.response.status_code == 403


def test_other_requests_are_answered_with_a_problem(realtime: Any) -> None:
    answer = realtime.get("/nothing")
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["code"] == "not_found"


def test_the_process_tells_how_it_is(realtime: Any) -> None:
    assert realtime.get("/livez").text == "ok"
    assert realtime.get("/readyz?verbose").json()["checks"]["redis"]["ok"] is True
    assert "ochaq_live_sockets" in realtime.get("/metrics").text
