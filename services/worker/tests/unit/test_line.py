"""The wire to web, against a server on a real socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ochaq_shared.http import Unavailable, UpstreamProblem
from ochaq_shared.identity import Signer, create_keys
from ochaq_worker.line import Line
from ochaq_worker.web import Busy, Claim, LeaseLost, Web


class Server(ThreadingHTTPServer):
    """Answers what `answers` says, the last of it again and again; keeps what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers: list[tuple[int, dict[str, Any], dict[str, str]]] = [(200, {"cancel": False}, {})]
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.connections = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, dict(self.headers), body))
        answers = self.server.answers
        status, content, headers = answers.pop(0) if len(answers) > 1 else answers[0]
        data = json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(data)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    found = Server()
    threading.Thread(target=found.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield found
    found.shutdown()
    found.server_close()


@pytest.fixture
def line(server: Server, tmp_path: Path) -> Iterator[Line]:
    create_keys(tmp_path, ["worker"])
    found = Line(f"http://127.0.0.1:{server.server_address[1]}", Signer(tmp_path / "worker.pem", "worker"), "web")
    yield found
    found.close()


CLAIM = Claim("j", "k", {}, 3, 1, None, 9, False)


def test_calls_share_a_connection_and_a_token(server, line):
    for number in range(3):
        assert line.post("/a", json={"n": number}, timeout=2).status == 200
    assert server.connections == 1
    assert len({headers["Authorization"] for _, headers, _ in server.asked}) == 1
    assert [json.loads(body)["n"] for _, _, body in server.asked] == [0, 1, 2]


def test_a_connection_that_was_closed_meanwhile_is_replaced_without_a_word(server, line):
    server.answers = [(200, {}, {"Connection": "close"}), (200, {}, {})]
    assert line.post("/a", json={}, timeout=2).status == 200
    assert line.post("/b", params={"x": "1"}, content=b"raw", timeout=2).status == 200
    assert server.connections == 2 and server.asked[1][0] == "/b?x=1"


def test_nobody_there_is_unavailable(line, server):
    server.shutdown()
    server.server_close()
    with pytest.raises(Unavailable):
        line.post("/a", json={}, timeout=0.5)


def test_patience_outlasts_errors_and_short_waits(server, line):
    server.answers = [(500, {}, {}), (503, {}, {"Retry-After": "1"}), (200, {"status": "succeeded"}, {})]
    assert Web(line, patience=5).fenced("/finish", json={})["status"] == "succeeded"
    assert len(server.asked) == 3


def test_a_wait_longer_than_patience_is_said_at_once(server, line):
    server.answers = [(429, {}, {"Retry-After": "600"})]
    with pytest.raises(Busy) as busy:
        Web(line, patience=5).fenced("/rows", json={})
    assert busy.value.after_seconds == 600 and len(server.asked) == 1


@pytest.mark.parametrize("answer", [(409, {"code": "jobs.stale_fence"}, {}), (404, {"code": "not_found"}, {})])
def test_a_refused_fence_is_a_lost_lease(server, line, answer):
    server.answers = [answer]
    with pytest.raises(LeaseLost):
        Web(line).heartbeat(CLAIM)


def test_another_refusal_is_told_as_it_is(server, line):
    server.answers = [(422, {"code": "request.invalid"}, {})]
    with pytest.raises(UpstreamProblem) as refused:
        Web(line).spawn(CLAIM, [])
    assert refused.value.code == "request.invalid"
