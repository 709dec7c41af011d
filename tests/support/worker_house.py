"""A small house of real processes for tests of jobs: web's serve, relay and consume, and workers to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import psycopg
from free_ports import free_port

OVER = ("succeeded", "failed", "cancelled")


@dataclass
class House:
    """Addresses, processes, and the few questions a test asks."""

    environment: dict[str, str]
    keys: Path
    logs: Path
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def web_url(self) -> str:
        return self.environment["OCHAQ_WEB_URL"]

    def start(self, package: str, command: str, *, port: int | None = None, **more: str) -> subprocess.Popen[bytes]:
        """Start one process and wait until it says that it is ready."""
        port = port or free_port()
        key = self.keys / f"{'worker' if package == 'ochaq_worker' else 'web'}.pem"
        own = {"OCHAQ_BIND_PORT": str(port), "OCHAQ_SIGNING_KEY_FILE": str(key), **more}
        with (self.logs / f"{package}-{command}-{port}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", package, command],
                env={**os.environ, **self.environment, **own},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.processes.append(process)
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/readyz"), 40, f"{package} {command} is ready")
        return process

    def worker(self, **more: str) -> subprocess.Popen[bytes]:
        settings: dict[str, Any] = {"OCHAQ_WORKER_CONCURRENCY": "1", **more}
        return self.start("ochaq_worker", "work", **settings)

    def run(self, *words: str) -> str:
        """Run one command of web's to its end."""
        key = str(self.keys / "web.pem")
        own = {"OCHAQ_BIND_PORT": "1", "OCHAQ_SIGNING_KEY_FILE": key}
        done = subprocess.run(
            [sys.executable, "-m", "ochaq_web", *words],
            check=False,
            env={**os.environ, **self.environment, **own},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def rows(self, sql: str, *params: Any) -> list[tuple[Any, ...]]:
        with psycopg.connect(self.environment["OCHAQ_DATABASE_URL"], autocommit=True) as connection:
            return connection.execute(sql, params).fetchall()

    def stop(self, process: subprocess.Popen[bytes], number: int = signal.SIGKILL) -> None:
        """Signal one process and every child of its session, and reap it."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        process.wait(20)

    @contextmanager
    def web_away(self) -> Iterator[None]:
        """Within the block web's HTTP server is dead; afterwards it is back on its port."""
        serve = self.processes[0]
        port = int(self.web_url.rpartition(":")[2])
        self.stop(serve)
        try:
            yield
        finally:
            self.start("ochaq_web", "serve", port=port)
            self.processes[0] = self.processes.pop()

    def stop_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.stop(process)


def answers(url: str) -> bool:
    try:
        # Reading the machine's certificates, for an address without TLS, takes longer than the answer.
        return httpx.get(url, timeout=2, trust_env=False, verify=False).status_code == 200
    except httpx.HTTPError:
        return False


def wait_until(holds: Callable[[], Any], seconds: float, what: str) -> Any:
    """The first true answer; fails by name when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := holds():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


@dataclass
class Jobs:
    """Web's jobs as a manager sees them, and their timelines."""

    client: httpx.Client
    house: House

    def start(self, kind: str, **params: Any) -> str:
        answer = self.client.post("/api/v1/jobs/", json={"kind": kind, "params": params})
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def of(self, job_id: str) -> dict[str, Any]:
        return dict(self.client.get(f"/api/v1/jobs/{job_id}/").json())

    def cancel(self, job_id: str) -> None:
        answer = self.client.post(f"/api/v1/jobs/{job_id}/cancel/")
        assert answer.status_code == 202, answer.text

    def wait(
        self,
        job_id: str,
        holds: Callable[[dict[str, Any]], Any] = lambda found: found["status"] in OVER,
        seconds: float = 60,
    ) -> dict[str, Any]:
        """The job as soon as `holds` is true of it; by default, as soon as it is over."""
        found: dict[str, Any] = {}

        def held() -> bool:
            found.update(self.of(job_id))
            return bool(holds(found))

        wait_until(held, seconds, f"{found.get('kind')} {job_id} as wanted")
        return found

    def wait_running(self, job_id: str, done: int = 0) -> dict[str, Any]:
        return self.wait(job_id, lambda found: found["status"] == "running" and found["progress"]["done"] >= done)

    def events(self, job_id: str) -> list[str]:
        rows = self.house.rows("SELECT kind FROM job_event WHERE job_id = %s ORDER BY seq", job_id)
        return [row[0] for row in rows]

    def holder(self, job_id: str) -> int:
        """The process that has the job's lease."""
        return int(self.house.rows("SELECT lease_owner FROM job WHERE id = %s", job_id)[0][0].rpartition(":")[2])


class Door:
    """A way to a server that can be shut: `url` is the server's own, through a port of ours."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._target = (str(parts.hostname), int(parts.port or 0))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._shut = False
        port = self._listener.getsockname()[1]
        self.url = url.replace(f"{self._target[0]}:{self._target[1]}", f"127.0.0.1:{port}")
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def connections(self) -> int:
        return len(self._pairs)

    def shut(self) -> None:
        """Cut every connection, and take no new one."""
        self._shut = True
        while self._pairs:
            for end in self._pairs.pop():
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()

    def open(self) -> None:
        self._shut = False

    def close(self) -> None:
        self.shut()
        self._listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if self._shut:
                near.close()
                continue
            far = socket.create_connection(self._target)
            self._pairs.append((near, far))
            for ends in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=ends, daemon=True).start()

    @staticmethod
    def _pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65_536):
                target.sendall(data)
        with contextlib.suppress(OSError):
            target.shutdown(socket.SHUT_RDWR)


def children_of(pid: int) -> list[int]:
    """The processes that this one started and that still run."""
    found = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=False)
    return [int(word) for word in found.stdout.split()]


def gone(pid: int) -> bool:
    """Nothing runs under this id any more; a zombie does not count as running."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    return state == "Z"


def memory_kib(pid: int, *names: str) -> int:
    """The sum of some lines of the process's smaps_rollup: `Rss`, `Pss`, `Private_Dirty` …; 0 when it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) for line in lines if line.partition(":")[0] in names)
