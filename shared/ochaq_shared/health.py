"""Liveness and readiness: `/livez` touches no dependency, `/readyz` checks this process's own critical ones.

Processes that speak no HTTP (relay, consume, work, beat, index) start a `HealthServer` thread; ASGI services mount the
same `Health` through `ochaq_shared.asgi.ServiceMiddleware`; web calls `Health.answer` from its WSGI layer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import orjson
import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

log = structlog.get_logger(__name__)

Check = Callable[[], None]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer of the health endpoints."""

    status: int
    content_type: str
    body: bytes


@dataclass
class _Named:
    check: Check
    critical: bool


@dataclass
class Health:
    """What one process says of itself.

    A check raises when its dependency does not work. A failing critical check makes the process unready; a failing
    other one is reported as degraded. Results are cached for a second so that probes cannot load a dependency.
    With `stall_after`, the process counts as dead when nobody called `beat` for that many seconds.
    """

    service: str
    process: str
    stall_after: float | None = None
    draining: bool = False
    _checks: dict[str, _Named] = field(default_factory=dict)
    _last_beat: float = field(default_factory=time.monotonic)
    _cached: tuple[float, dict[str, Any]] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def check(self, name: str, check: Check, *, critical: bool = True) -> None:
        """Register a dependency check; it must bound its own time."""
        self._checks[name] = _Named(check, critical)

    def beat(self) -> None:
        """The main loop is alive."""
        self._last_beat = time.monotonic()

    def live(self) -> bool:
        return self.stall_after is None or time.monotonic() - self._last_beat < self.stall_after

    def report(self) -> dict[str, Any]:
        """`{service, process, ready, draining, checks: {name: {ok, critical, ms, error}}}`."""
        with self._lock:
            if self._cached and time.monotonic() - self._cached[0] < 1.0:
                return {**self._cached[1], "ready": self._cached[1]["ready"] and not self.draining}
            checks = {name: _run(named) for name, named in self._checks.items()}
            ready = all(result["ok"] for result in checks.values() if result["critical"]) and self.live()
            report = {"service": self.service, "process": self.process, "ready": ready, "checks": checks}
            self._cached = (time.monotonic(), report)
        return {**report, "ready": ready and not self.draining, "draining": self.draining}

    def answer(self, target: str) -> Answer | None:
        """The answer to `/livez`, `/readyz[?verbose]` or `/metrics`; None for any other request target."""
        parts = urlsplit(target)
        if parts.path == "/livez":
            return _text(200 if self.live() else 503, b"ok" if self.live() else b"stalled")
        if parts.path == "/readyz":
            return self._readiness(verbose="verbose" in parts.query)
        if parts.path == "/metrics":
            return Answer(200, CONTENT_TYPE_LATEST, generate_latest())
        return None

    def _readiness(self, *, verbose: bool) -> Answer:
        report = self.report()
        status = 200 if report["ready"] else 503
        if verbose:
            return Answer(status, "application/json", orjson.dumps(report))
        return _text(status, b"ready" if report["ready"] else b"not ready")


def _text(status: int, body: bytes) -> Answer:
    return Answer(status, "text/plain; charset=utf-8", body)


def _run(named: _Named) -> dict[str, Any]:
    began = time.perf_counter()
    error = None
    try:
        named.check()
    except Exception as raised:  # a check may fail in any way; its name and class are the report
        error = type(raised).__name__
    ms = round((time.perf_counter() - began) * 1000, 2)
    return {"ok": error is None, "critical": named.critical, "ms": ms, "error": error}


class HealthServer:
    """A small HTTP thread for processes that have no HTTP server of their own."""

    def __init__(self, health: Health, host: str, port: int) -> None:
        handler = type("Handler", (_Handler,), {"health": health})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def start(self) -> None:
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 5}, daemon=True, name="health"
        ).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    health: Health
    server_version = "ochaq"
    sys_version = ""

    def do_GET(self) -> None:
        answer = self.health.answer(self.path) or _text(404, b"not found")
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, format: str, *args: object) -> None:
        """Probes are not worth a log line each."""
