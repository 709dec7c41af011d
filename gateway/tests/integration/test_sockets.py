"""The split of /ws/ on the Upgrade header, and what a refused handshake looks like from outside."""

from __future__ import annotations

import socket
from typing import Any

import pytest

HANDSHAKE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version": "13",
}


@pytest.mark.parametrize("path", ["/ws/", "/ws/task/", "/ws/tasks/"])
def test_an_upgrade_goes_to_realtime_with_an_identity_and_without_the_cookie(gateway: Any, path: str) -> None:
    headers = {**HANDSHAKE, "Cookie": "sessionid=a", "Origin": gateway.url}
    gateway.upstreams["realtime"].routes[path] = lambda seen: (200, {}, b"")
    gateway.request("GET", path, headers=headers)
    seen = gateway.upstreams["realtime"].seen[-1]
    assert seen.path == path
    assert (seen.headers["upgrade"], seen.headers["connection"].lower()) == ("websocket", "upgrade")
    assert seen.headers["sec-websocket-key"] == HANDSHAKE["Sec-WebSocket-Key"]
    assert seen.headers["origin"] == gateway.url
    assert seen.headers["authorization"] == "Bearer token-for-realtime"
    assert "cookie" not in seen.headers


def test_without_an_upgrade_it_is_a_page(gateway: Any) -> None:
    before = len(gateway.upstreams["realtime"].seen)
    assert gateway.get("/ws/", Cookie="sessionid=a").status_code == 200
    assert gateway.upstreams["web"].seen[-1].headers["cookie"] == "sessionid=a"
    assert len(gateway.upstreams["realtime"].seen) == before


def test_a_refused_handshake_is_a_problem(gateway: Any) -> None:
    gateway.upstreams["realtime"].routes["/ws/"] = lambda seen: (403, {"Content-Type": "text/html"}, b"<h1>no</h1>")
    answer = gateway.request("GET", "/ws/", headers={**HANDSHAKE, "Origin": "null"})
    assert (answer.status_code, answer.json()["code"]) == (403, "auth.cross_site")
    wrong = gateway.request("GET", "/ws/", headers={**HANDSHAKE, "Authorization": "Bearer wrong"})
    assert (wrong.status_code, wrong.json()["code"]) == (401, "auth.invalid_token")


def test_without_an_origin_only_a_bearer_token_opens_a_socket(gateway: Any) -> None:
    before = len(gateway.upstreams["realtime"].seen)
    for headers in ({}, {"Cookie": "sessionid=a"}):
        assert gateway.request("GET", "/ws/", headers={**HANDSHAKE, **headers}).status_code == 403
    assert len(gateway.upstreams["realtime"].seen) == before
    gateway.upstreams["realtime"].routes["/ws/"] = lambda seen: (200, {}, b"")
    assert gateway.request("GET", "/ws/", headers={**HANDSHAKE, "Authorization": "Bearer a"}).status_code == 200


def test_bytes_flow_both_ways_after_the_upgrade(start_gateway: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        gateway = start_gateway()
        conf = gateway.directory / "conf" / "upstreams.conf"
        conf.write_text(conf.read_text().replace(gateway.upstreams["realtime"].address, address))
        gateway.reload()
        server.settimeout(5)
        with open_socket(gateway) as client:
            upstream = accept(server, client)
            upstream.sendall(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello"
            )
            received = b""
            while not received.endswith(b"hello"):
                received += client.recv(4096)
            assert received.startswith(b"HTTP/1.1 101 ")
            client.sendall(b"there")
            assert upstream.recv(16) == b"there"
            upstream.close()


def open_socket(gateway: Any) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", gateway.port), timeout=5)
    lines = ["GET /ws/ HTTP/1.1", "Host: x", f"Origin: {gateway.url}", *(f"{k}: {v}" for k, v in HANDSHAKE.items())]
    client.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
    return client


def accept(server: socket.socket, client: socket.socket) -> socket.socket:
    upstream, _ = server.accept()
    assert b"Upgrade: websocket" in upstream.recv(8192)
    return upstream
