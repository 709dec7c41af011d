"""The whole service on a real broker: `index` and `serve` as processes, and a small HTTP server in web's place.

Only web is stood in for: its stream and its jobs are other services' tests' concern, its answers are contract.
"""

from __future__ import annotations

import os
import random
import signal
import string
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import orjson
import pytest
from free_ports import free_port
from ochaq_servers import Servers
from ochaq_shared.bus.publisher import Message, Publisher
from ochaq_shared.events import CloudEvent, Fact
from ochaq_shared.events.students import StudentCreated
from ochaq_shared.identity import Signer, create_keys
from ochaq_shared.outbox import COMMANDS_EXCHANGE, EVENTS_EXCHANGE


def until(condition: Callable[[], Any], seconds: float = 20) -> Any:
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)
    return value


@dataclass
class StandIn:
    """Web's share: what students there are, and one job at a time."""

    students: dict[int, dict[str, Any]] = field(default_factory=dict)
    down: bool = False
    breaks: int = 0
    torn: int = 0
    streams: list[dict[str, str]] = field(default_factory=list)
    pause: threading.Event = field(default_factory=threading.Event)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pause.set()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"web": self}))
        self.server.daemon_threads = True
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def add(self, first_id: int, *names: tuple[str, str], demo: bool = True) -> None:
        for number, (first, last) in enumerate(names, first_id):
            email = f"{first}.{last}{number}@example.com".lower()
            row = {"id": number, "first_name": first, "last_name": last, "email": email, "age": 20}
            self.students[number] = {**row, "demo": demo, "version": 1}

    def lines(self, after: int, until_id: int) -> Iterator[bytes]:
        # What exists when the question is asked; it may be older than an event that passes it on the way.
        snapshot, sent = dict(self.students), 0
        for number in sorted(snapshot):
            if after < number <= until_id:
                self.pause.wait(30)
                sent += 1
                yield orjson.dumps(snapshot[number]) + b"\n"
        if self.torn:
            # The database went away in the middle, and the server ended the answer like a whole one.
            self.torn -= 1
            return
        yield orjson.dumps({"end": sent}) + b"\n"

    def job(self, job_id: str, word: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        job = self.jobs.get(job_id)
        if job is None:
            return 404, {"code": "not_found"}
        if word == "claim":
            if job["status"] != "queued":
                return 409, {"code": "jobs.not_claimable"}
            job.update(status="running", fence=job["fence"] + 1, worker=body["worker"])
            return 200, {"id": job_id, "kind": "search.rebuild", "fence": job["fence"], "cancel": False}
        if body["fence"] != job["fence"]:
            return 409, {"code": "jobs.stale_fence"}
        if word == "heartbeat":
            job["beats"] += 1
            job["progress"] = body["progress"]
            return 200, {"cancel": job["cancel"]}
        job.update(status=body["status"], result=body["result"], error=body["error"])
        return 200, {"status": body["status"]}


class _Handler(BaseHTTPRequestHandler):
    web: StandIn
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        target = urlsplit(self.path)
        asked = {name: values[0] for name, values in parse_qs(target.query).items()}
        assert target.path == "/internal/v1/students/stream"
        assert self.headers["Authorization"].startswith("Bearer ")
        if self.web.down:
            return self._answer(503, {"code": "unavailable"})
        self.web.streams.append(asked)
        self.send_response(200)
        self.send_header("Content-Type", "application/x-ndjson")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if self.web.breaks:
            self.web.breaks -= 1
            # An answer that ends without its last chunk, as from a process that was killed.
            self.close_connection = True
            return None
        for line in self.web.lines(int(asked.get("after_id", 0)), int(asked.get("until_id", 2**62))):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(line), line))
        self.wfile.write(b"0\r\n\r\n")
        return None

    def do_POST(self) -> None:
        body = orjson.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.web.down:
            return self._answer(503, {"code": "unavailable"})
        *_, job_id, word = self.path.split("/")
        return self._answer(*self.web.job(job_id, word, body))

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        content = orjson.dumps(body)
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@dataclass
class Campus:
    """The running service and the ways to reach it."""

    web: StandIn
    index_dir: Path
    environment: dict[str, str]
    publisher: Publisher
    signer: Signer
    ports: dict[str, int]
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    word: str = ""
    base: int = 0

    def turn(self) -> None:
        """A last name and a range of ids of its own for the next test, so that tests can share the processes."""
        self.word = "".join(random.choices(string.ascii_lowercase, k=14)).title()
        self.base += 100_000
        self.web.streams.clear()

    def start(self, *names: str) -> None:
        for name in names:
            environment = {**self.environment, "OCHAQ_BIND_PORT": str(self.ports[name])}
            with (self.index_dir.parent / f"{name}.log").open("ab") as log:
                self.processes[name] = subprocess.Popen(
                    [sys.executable, "-m", "ochaq_search", name], env=environment, stdout=log, stderr=log
                )

    def ready(self, name: str, seconds: float = 20) -> None:
        until(lambda: self.status(name) == 200, seconds)

    def status(self, name: str) -> int:
        try:
            return httpx.get(f"http://127.0.0.1:{self.ports[name]}/readyz", trust_env=False).status_code
        except httpx.TransportError:
            return 0

    def kill(self, name: str, number: int = signal.SIGKILL) -> int:
        process = self.processes.pop(name)
        process.send_signal(number)
        return process.wait(20)

    def publish(self, *facts: Fact, subject: str = "students") -> None:
        events = [CloudEvent.of(fact, subject=subject, version=1) for fact in facts]
        messages = [Message(event.id, EVENTS_EXCHANGE, event.type, event.encode(), {}, event.type) for event in events]
        assert self.publisher.publish(messages) == [None] * len(facts)

    def command(self, body: dict[str, Any]) -> None:
        message = Message("command", COMMANDS_EXCHANGE, "search.rebuild", orjson.dumps(body))
        assert self.publisher.publish([message]) == [None]

    def new_job(self, job_id: str) -> dict[str, Any]:
        self.web.jobs[job_id] = {"status": "queued", "fence": 0, "beats": 0, "cancel": False, "progress": None}
        return self.web.jobs[job_id]

    def get(self, path: str, *roles: str, **params: Any) -> httpx.Response:
        headers = {}
        if roles:
            token = self.signer.sign("search", "0192f0c1-0000-7000-8000-000000000001", roles=roles)
            headers["Authorization"] = f"Bearer {token}"
        url = f"http://127.0.0.1:{self.ports['serve']}{path}"
        return httpx.get(url, params=params or None, headers=headers, trust_env=False)

    def found(self, query: str) -> list[str]:
        """First and last names, best first."""
        answer = self.get("/api/v1/search/students", "manager", q=query, limit=200)
        if answer.status_code == 503:
            return []
        return [f"{hit['first_name']} {hit['last_name']}" for hit in answer.json()["results"]]

    def count(self) -> int:
        """How many students have the last name of this turn; -1 while there is no index."""
        answer = self.get("/api/v1/search/students", "manager", q=self.word, limit=1)
        return int(answer.json()["total"]) if answer.status_code == 200 else -1

    def fact(self, number: int) -> StudentCreated:
        return StudentCreated(**self.web.students[number])


@contextmanager
def opened(servers: Servers, amqp: str, directory: Path) -> Iterator[Campus]:
    """A campus with nothing started yet; what was started is killed at the end, and its last words are shown."""
    create_keys(directory / "keys", ["web", "search"])
    web = StandIn()
    environment = {
        "PATH": os.environ["PATH"],
        "OCHAQ_MODE": "test",
        "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
        "OCHAQ_SIGNING_KEY_FILE": str(directory / "keys" / "search.pem"),
        "OCHAQ_JWKS_FILE": str(directory / "keys" / "jwks.json"),
        "OCHAQ_AMQP_URL": amqp,
        "OCHAQ_REDIS_URL": servers.redis_url(),
        **{f"OCHAQ_{name}_URL": web.url for name in ("WEB", "FILES", "SEARCH", "REALTIME")},
        "OCHAQ_INDEX_DIR": str(directory / "index"),
    }
    signer = Signer(directory / "keys" / "web.pem", "web")
    ports = {"serve": free_port(), "index": free_port()}
    campus = Campus(web, directory / "index", environment, Publisher(amqp), signer, ports)
    campus.turn()
    try:
        yield campus
    finally:
        for process in campus.processes.values():
            process.kill()
            process.wait(10)
        campus.publisher.close()
        web.server.shutdown()
        web.server.server_close()
        for name in ("index", "serve"):
            log = directory / f"{name}.log"
            if log.exists():
                sys.stdout.write(f"--- {name}\n{log.read_text()[-4000:]}\n")


@pytest.fixture(scope="session")
def quiet_vhost(servers: Servers) -> str:
    """For one campus after the other: nothing is published there, so none of them finds what another left."""
    return servers.amqp_url()


@pytest.fixture
def campus(servers: Servers, quiet_vhost: str, tmp_path: Path) -> Iterator[Campus]:
    """A campus of this test's own, nothing started."""
    with opened(servers, quiet_vhost, tmp_path) as campus:
        yield campus


@pytest.fixture(scope="session")
def shared_campus(servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Campus]:
    """One for all tests that leave it running, each with a last name of its own (`turn`)."""
    with opened(servers, servers.amqp_url(), tmp_path_factory.mktemp("campus")) as campus:
        campus.start("index", "serve")
        campus.ready("index")
        campus.ready("serve")
        yield campus


@pytest.fixture
def running(shared_campus: Campus) -> Campus:
    """The running service, its index as the last test left it, with three students of this test's last name."""
    campus = shared_campus
    campus.turn()
    first_id = campus.base + 1
    campus.web.add(first_id, *((first, campus.word) for first in ("Gülşen", "Oʻtkir", "Жасур")), demo=False)
    for number in range(first_id, first_id + 3):
        campus.publish(campus.fact(number), subject=f"student:{number}")
    until(lambda: campus.count() == 3)
    campus.web.streams.clear()
    return campus
