"""A real nginx with a freshly rendered configuration, in front of small real upstreams that say what reached them."""

from __future__ import annotations

import contextlib
import http.server
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from free_ports import free_port

GATEWAY = Path(__file__).resolve().parents[1]
SERVICES = ("web", "files", "search", "realtime")
# Nothing here speaks TLS, and reading the machine's certificates anew for every client takes longer than most requests.
NO_CERTIFICATES = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
LOG_SECONDS = 5.0
"""The log is flushed once a second."""

Reply = tuple[int, dict[str, str], bytes]
Route = Callable[["Seen"], Reply]


@dataclass(frozen=True)
class Seen:
    """One request as an upstream received it."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Upstream:
    """A real HTTP server on a free port. `routes` maps a path to a reply; every other path echoes the request."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self.routes: dict[str, Route] = {}
        upstream = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                with contextlib.suppress(ConnectionError):  # nginx may have given up waiting for the answer
                    upstream._answer(self)

            do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

            def log_message(self, format: str, *args: object) -> None:
                """The gateway's log is the one that the tests read."""

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def asked(self, path: str) -> list[Seen]:
        return [seen for seen in self.seen if seen.path == path]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, handler: http.server.BaseHTTPRequestHandler) -> None:
        length = int(handler.headers.get("Content-Length") or 0)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        seen = Seen(handler.command, handler.path, headers, handler.rfile.read(length))
        self.seen.append(seen)
        status, extra, body = self.routes.get(seen.path, _echo)(seen)
        handler.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **extra}.items():
            if value:
                handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(body)


def _echo(seen: Seen) -> Reply:
    shown: dict[str, Any] = {"method": seen.method, "target": seen.target, "headers": seen.headers}
    return 200, {"Content-Type": "application/json"}, json.dumps(shown).encode()


@dataclass
class Gateway:
    """A running gateway. `dead` names a service that nobody answers for."""

    directory: Path
    port: int
    process: subprocess.Popen[bytes]
    upstreams: dict[str, Upstream]
    clients: list[httpx.Client] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def static(self) -> Path:
        return self.directory / "static"

    @property
    def objects(self) -> Path:
        return self.directory / "objects"

    def client(self, **options: Any) -> httpx.Client:
        made = httpx.Client(base_url=self.url, timeout=10, verify=NO_CERTIFICATES, **options)
        self.clients.append(made)
        return made

    def get(self, path: str, **headers: str) -> httpx.Response:
        return self.request("GET", path, headers={k.replace("_", "-"): v for k, v in headers.items()})

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        with httpx.Client(base_url=self.url, timeout=10, verify=NO_CERTIFICATES) as client:
            return client.request(method, path, **options)

    def raw(self, request: bytes) -> bytes:
        """Sends bytes as they are and answers everything that comes back before the connection closes."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=10) as connection:
            connection.sendall(request)
            received = b""
            while chunk := connection.recv(65536):
                received += chunk
            return received

    def log_lines(self) -> list[dict[str, Any]]:
        """Everything logged so far: a last request is made and waited for, as lines are written in their order."""
        last = self.get("/healthz").headers["x-request-id"]
        deadline = time.monotonic() + LOG_SECONDS
        while last not in (text := (self.directory / "data" / "nginx" / "access.log").read_text()):
            assert time.monotonic() < deadline, f"the request {last} was not logged within {LOG_SECONDS} s"
            time.sleep(0.05)
        return [json.loads(line) for line in text.splitlines()]

    @property
    def workers(self) -> list[int]:
        """The processes of nginx that answer."""
        command = ["ps", "--ppid", str(self.process.pid), "-o", "pid=,args="]
        found = subprocess.run(command, check=False, capture_output=True, text=True).stdout.splitlines()
        return [int(line.split()[0]) for line in found if "worker process" in line]

    def reload(self) -> None:
        """Have nginx read its configuration again, until none that knows the old one is left."""
        before = set(self.workers)
        self.process.send_signal(signal.SIGHUP)
        deadline = time.monotonic() + 10
        while not (now := set(self.workers)) or now & before:
            assert time.monotonic() < deadline, f"of the workers {before} there are still {now & before}"
            time.sleep(0.02)

    def stop(self) -> None:
        for client in self.clients:
            client.close()
        self.process.terminate()
        self.process.wait(10)
        for upstream in self.upstreams.values():
            upstream.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def render(directory: Path, *arguments: str, environ: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    for name in ("static", "objects"):
        (directory / name).mkdir(exist_ok=True)
    command = [sys.executable, GATEWAY / "render.py", "--out", directory / "conf", "--data", directory / "data"]
    command += ["--static", directory / "static", "--objects", directory / "objects", *arguments]
    if os.geteuid() == 0:
        command += ["--user", "root"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCHAQ_")}
    return subprocess.run(
        command, check=False, env={**clean, **(environ or {})}, capture_output=True, text=True, timeout=30
    )


def start(directory: Path, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, GATEWAY / "serve.py", "--conf", directory / "conf" / "nginx.conf"]
    # A pipe that nobody reads could fill; the error log is a file under the test's own directory.
    with (directory / "stderr").open("wb") as errors:
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=errors)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and process.poll() is None:
        # An answer, not just a connection: the kernel takes those before nginx knows what to do with signals.
        with contextlib.suppress(httpx.HTTPError):
            httpx.get(f"http://127.0.0.1:{port}/healthz", timeout=1, verify=NO_CERTIFICATES).raise_for_status()
            return process
        time.sleep(0.02)
    raise RuntimeError(f"nginx did not start: {(directory / 'stderr').read_text()}")


Start = Callable[..., Gateway]


@pytest.fixture(scope="module")
def start_gateway() -> Iterator[Start]:
    """Starts gateways; `rates` is the environment of render.py, `dead` names services without a process."""
    running: list[Gateway] = []

    def begin(*arguments: str, rates: dict[str, str] | None = None, dead: tuple[str, ...] = ()) -> Gateway:
        if shutil.which("nginx") is None:
            pytest.skip("nginx is not installed")
        # Short on purpose: the unix socket's path has 107 bytes.
        directory = Path(tempfile.mkdtemp(prefix="gw-"))
        port = free_port()
        upstreams = {name: Upstream() for name in SERVICES if name not in dead}
        addresses = {
            name: upstreams[name].address if name in upstreams else f"127.0.0.1:{free_port()}" for name in SERVICES
        }
        wanted = [word for name, address in addresses.items() for word in (f"--{name}", address)]
        mode = "env" if rates is not None else "off"
        done = render(
            directory, "--port", str(port), "--workers", "1", "--rates", mode, *wanted, *arguments, environ=rates
        )
        assert done.returncode == 0, done.stderr
        running.append(Gateway(directory, port, start(directory, port), upstreams))
        return running[-1]

    yield begin
    for gateway in running:
        gateway.process.terminate()  # all at once; `stop` waits for each
    for gateway in running:
        gateway.stop()


@pytest.fixture(scope="module")
def gateway(start_gateway: Start) -> Gateway:
    """One gateway without rate limits, shared by the tests of a module."""
    made = start_gateway()
    made.upstreams["web"].routes["/internal/v1/identity"] = identity
    return made


def identity(seen: Seen) -> Reply:
    """Web's side of the identity exchange, reduced to its answers."""
    cookie, authorization = seen.headers.get("cookie", ""), seen.headers.get("authorization", "")
    if "wrong" in authorization:
        return 401, {"WWW-Authenticate": 'Bearer error="invalid_token"'}, b""
    if "broken" in authorization:
        return 500, {}, b""
    if cookie and seen.headers.get("origin", "").startswith("http://evil"):
        return 403, {}, b""
    name = f"token-for-{seen.headers['x-ochaq-audience']}" if cookie or authorization else ""
    return 204, {"X-Ochaq-Identity": name, "Content-Length": ""}, b""
