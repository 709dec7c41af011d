"""The real gateway before the real realtime service: a browser's and an API client's way to a socket."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from free_ports import free_port
from ochaq_shared import live
from ochaq_shared.identity import Signer, create_keys
from redis import Redis
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

USER = "018f0000-0000-7000-8000-0000000000aa"


@pytest.fixture(scope="module")
def house(start_gateway: Any, servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Redis]]:
    """A gateway whose realtime upstream is the service itself, and whose web signs identities like the real one."""
    keys = tmp_path_factory.mktemp("keys")
    create_keys(keys, ["web", "realtime"])
    signer, redis_url = Signer(keys / "web.pem", "web"), servers.redis_url(db=15)
    port = free_port()
    # Of two addresses the last one counts: this one replaces the fixture's small upstream.
    gateway = start_gateway("--realtime", f"127.0.0.1:{port}")
    gateway.upstreams["web"].routes["/internal/v1/identity"] = lambda seen: (
        204,
        {"X-Ochaq-Identity": signer.sign(seen.headers["x-ochaq-audience"], USER, session="s"), "Content-Length": ""},
        b"",
    )
    process = serve(keys, redis_url, port, gateway.url)
    with Redis.from_url(redis_url) as redis:
        yield gateway, redis
    process.kill()
    process.wait(5)


def serve(keys: Path, redis_url: str, port: int, public_url: str) -> subprocess.Popen[bytes]:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OCHAQ_")},
        "OCHAQ_MODE": "test",
        "OCHAQ_PUBLIC_URL": public_url,
        "OCHAQ_BIND_PORT": str(port),
        "OCHAQ_SIGNING_KEY_FILE": str(keys / "realtime.pem"),
        "OCHAQ_JWKS_FILE": str(keys / "jwks.json"),
        "OCHAQ_AMQP_URL": "amqp://127.0.0.1:1",
        "OCHAQ_REDIS_URL": redis_url,
        **{f"OCHAQ_{name}_URL": "http://127.0.0.1:1" for name in ("WEB", "FILES", "SEARCH", "REALTIME")},
    }
    with (keys / "log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ochaq_realtime", "serve"], env=environ, stdout=log, stderr=log
        )
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        try:
            if httpx.get(f"http://127.0.0.1:{port}/readyz", verify=False).status_code == 200:
                return process
        except httpx.HTTPError:
            pass
        time.sleep(0.1)
    raise RuntimeError((keys / "log").read_text())


def url(gateway: Any) -> str:
    return gateway.url.replace("http", "ws") + "/ws/"


@pytest.mark.parametrize("credential", [{"Cookie": "sessionid=a"}, {"Authorization": "Bearer access"}])
def test_a_signed_in_client_hears_its_events(house: Any, credential: dict[str, str]) -> None:
    gateway, redis = house
    with connect(url(gateway), additional_headers=credential, origin=gateway.url, proxy=None) as client:
        assert json.loads(client.recv(5))["type"] == "welcome"
        client.send('{"type": "subscribe", "topic": "user"}')
        assert json.loads(client.recv(5))["type"] == "subscribed"
        event = live.LiveEvent(os.urandom(8).hex(), "files.file.completed", live.timestamp(), {"id": "f"})
        number = live.append(redis, live.personal(USER), event)
        assert json.loads(client.recv(5))["id"] == number


def test_a_bearer_token_needs_no_origin_and_a_cookie_does(house: Any) -> None:
    gateway, _ = house
    with connect(url(gateway), additional_headers={"Authorization": "Bearer access"}, proxy=None) as client:
        assert json.loads(client.recv(5))["type"] == "welcome"
    with pytest.raises(InvalidStatus) as refused:
        connect(url(gateway), additional_headers={"Cookie": "sessionid=a"}, proxy=None)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null"])
def test_a_foreign_page_gets_a_403_problem(house: Any, origin: str) -> None:
    gateway, _ = house
    with pytest.raises(InvalidStatus) as refused:
        connect(url(gateway), additional_headers={"Cookie": "sessionid=a"}, origin=origin, proxy=None)
    answer = refused.value.response
    assert (answer.status_code, answer.headers["Content-Type"]) == (403, "application/problem+json")
    assert json.loads(answer.body)["code"] == "auth.cross_site"


def test_a_stranger_hears_4401(house: Any) -> None:
    gateway, _ = house
    with connect(url(gateway), origin=gateway.url, proxy=None) as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(5)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 4401
