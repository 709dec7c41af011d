"""A PostgreSQL of a test's own, to be frozen, crashed and overcrowded; and callers that note how a service bears it."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
from ochaq_local.servers import postgres
from ochaq_sources import Local, _wait


class BreakablePostgres:
    """One server. Use as a context manager: it thaws and ends what it started."""

    def __init__(self) -> None:
        self._source = Local()
        self.url = self._source.postgres()
        found = self._source._postgres
        assert found is not None
        self._server = found

    def __enter__(self) -> BreakablePostgres:
        return self

    def __exit__(self, *exception: object) -> None:
        self._source.close()

    def database(self, name: str) -> str:
        """URL of a new, empty database that a role without special rights owns, as `make up` makes it."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'test-servers-only'".encode())
            connection.execute(f"CREATE DATABASE {name} OWNER {name}".encode())
        return self._server.url(name, "test-servers-only", name)

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """SIGSTOP to the server and its backends, SIGCONT at the end."""
        stopped = [self._pid(), *children(self._pid())]
        for pid in stopped:
            _signal(pid, signal.SIGSTOP)
        # Those that came to be before their parent stood still.
        late = [pid for pid in children(stopped[0]) if pid not in stopped]
        for pid in late:
            _signal(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in [*stopped, *late]:
                _signal(pid, signal.SIGCONT)

    def crash(self) -> None:
        """What `pg_ctl stop -m immediate` does: backends quit without a word, the next start recovers from the WAL."""
        pid = self._pid()
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 20
        while Path(f"/proc/{pid}").exists() and _state(pid) != "Z":
            assert time.monotonic() < deadline, "PostgreSQL did not stop"
            time.sleep(0.02)

    def start(self) -> None:
        """Start it again after `crash`; returns when it takes connections."""
        self._source._start(self._server.process(), lambda: postgres.answers(self._server.port))

    @contextmanager
    def crowded(self) -> Iterator[None]:
        """Every connection that an ordinary role can have is taken; those that services give back are taken too."""
        with ExitStack() as held:
            stop = threading.Event()

            def take() -> None:
                while not stop.is_set():
                    try:
                        held.enter_context(psycopg.connect(self._ordinary(), connect_timeout=2))
                    except psycopg.OperationalError:
                        stop.wait(0.05)

            self._make_crowd()
            thread = threading.Thread(target=take, daemon=True)
            thread.start()
            _wait("crowd", self._is_full, lambda: True)
            try:
                yield
            finally:
                stop.set()
                thread.join()

    def _make_crowd(self) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'crowd'").fetchone():
                connection.execute("CREATE ROLE crowd LOGIN PASSWORD 'test-servers-only'")

    def _is_full(self) -> bool:
        try:
            psycopg.connect(self._ordinary(), connect_timeout=2).close()
        except psycopg.OperationalError as error:
            return "remaining connection slots" in str(error) or "too many clients" in str(error)
        return False

    def _ordinary(self) -> str:
        return self._server.url("crowd", "test-servers-only", "postgres")

    def _pid(self) -> int:
        return int((self._server.data / "postmaster.pid").read_text().splitlines()[0])


def children(parent: int) -> list[int]:
    """The processes that a process started, as /proc tells."""
    found: list[int] = []
    for task in Path(f"/proc/{parent}/task").glob("*/children"):
        found += [int(word) for word in task.read_text().split()]
    return found


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


@dataclass(frozen=True)
class Call:
    """One request and what came of it. `status` is 0 where no answer came."""

    began: float
    seconds: float
    status: int
    headers: httpx.Headers
    code: str = ""

    @property
    def ended(self) -> float:
        return self.began + self.seconds


@dataclass
class Callers:
    """Threads that ask the same again and again."""

    ask: Callable[[httpx.Client], httpx.Response]
    client: Callable[[], httpx.Client]
    count: int = 6
    pause: float = 0.02
    calls: list[Call] = field(default_factory=list)

    @contextmanager
    def calling(self) -> Iterator[Callers]:
        stop = threading.Event()
        threads = [threading.Thread(target=self._call, args=(stop,), daemon=True) for _ in range(self.count)]
        for thread in threads:
            thread.start()
        try:
            yield self
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)

    def _call(self, stop: threading.Event) -> None:
        with self.client() as client:
            while not stop.wait(self.pause):
                self.calls.append(timed(lambda: self.ask(client)))

    def between(self, start: float, end: float) -> list[Call]:
        """The calls that began in this time."""
        return [call for call in self.calls if start <= call.began <= end]

    def wait_for(self, status: int, since: float, limit: float) -> float:
        """Seconds from `since` until calls begin to be answered so again, all of them for half a second."""
        deadline = since + limit + 10
        while time.monotonic() < deadline:
            time.sleep(0.05)
            now = time.monotonic()
            lately = [call for call in list(self.calls) if now - 0.5 <= call.ended]
            if now - since > 0.5 and lately and all(call.status == status for call in lately):
                good = [call.ended for call in self.calls if call.ended > since]
                bad = [call.ended for call in self.calls if call.status != status]
                return max(0.0, min(end for end in good if end > max(bad, default=0)) - since)
        raise AssertionError(f"no {status} again: {[(c.status, c.code) for c in self.calls[-10:]]}")


def timed(ask: Callable[[], httpx.Response]) -> Call:
    """One call on the clock."""
    began = time.monotonic()
    try:
        answer = ask()
    except httpx.TransportError as error:
        return Call(began, time.monotonic() - began, 0, httpx.Headers(), type(error).__name__)
    code: Any = ""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        code = answer.json()["code"]
    return Call(began, time.monotonic() - began, answer.status_code, answer.headers, code)
