"""What every service owes its callers while its PostgreSQL crashes, stands still or is full."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import httpx
from breakable_postgres import BreakablePostgres, Call, Callers, timed

# What a request may take while the server does not answer: one wait (4.5 s), and the way there and back.
LIMIT = 6.0


def wait_ready(url: str, status: int, limit: float = 20) -> None:
    """Until `/readyz` answers so."""
    deadline = time.monotonic() + limit
    while timed(lambda: httpx.get(f"{url}/readyz", trust_env=False, timeout=10)).status != status:
        assert time.monotonic() < deadline, f"/readyz of {url} is not {status}"
        time.sleep(0.1)


def refused_properly(calls: Sequence[Call]) -> None:
    """All of them with a 503 that says what it is and when to come again."""
    assert calls
    assert {(call.status, call.code) for call in calls} == {(503, "unavailable")}
    assert all("Retry-After" in call.headers for call in calls)


@dataclass(frozen=True)
class Service:
    """A service on a server of its own: where its processes answer, the one that serves requests first."""

    postgres: BreakablePostgres
    urls: Sequence[str]
    ask: Callable[[httpx.Client], httpx.Response]
    client: Callable[[], httpx.Client]

    def alive(self) -> float:
        """How long the slowest `/livez` took."""
        calls = [timed(lambda url=url: httpx.get(f"{url}/livez", trust_env=False, timeout=10)) for url in self.urls]  # type: ignore[misc]
        assert [call.status for call in calls] == [200] * len(calls)
        return max(call.seconds for call in calls)

    def stays_alive(self, until: float) -> None:
        """No process stands still, whatever its database does."""
        while time.monotonic() < until:
            assert self.alive() < 1
            time.sleep(0.1)

    @contextmanager
    def called(self) -> Iterator[Callers]:
        """Many ask at once, and are answered."""
        callers = Callers(self.ask, self.client, count=8)
        with callers.calling():
            callers.wait_for(200, time.monotonic(), 5)
            yield callers

    def bears_a_freeze(self) -> None:
        """A frozen server costs each request seconds and no process its life."""
        with self.called() as callers:
            with self.postgres.frozen():
                frozen = time.monotonic()
                self.stays_alive(frozen + 14)
                wait_ready(self.urls[0], 503, limit=1)
                thawed = time.monotonic()
            assert callers.wait_for(200, thawed, 5) < 5
        during = [call for call in callers.calls if frozen + 0.2 < call.ended < thawed]
        refused_properly(during)
        assert max(call.seconds for call in callers.calls) < LIMIT
        # Most fail at once, because one has found out for all.
        assert sum(call.seconds < 0.5 for call in during) > len(during) / 2

    def bears_a_freeze_in_a_write(
        self, write: Callable[[httpx.Client], httpx.Response], retry: float
    ) -> httpx.Response:
        """A write that is caught is refused in time; its retry succeeds within `retry` seconds, and is then replayed.

        Gives back the replay. `write` carries an Idempotency-Key.
        """
        with self.client() as client:
            with self.postgres.frozen():
                call = timed(lambda: write(client))
                assert (call.status, call.code) == (503, "unavailable")
                assert call.seconds < LIMIT
            deadline = time.monotonic() + retry
            while (answer := write(client)).status_code != 201:
                assert answer.status_code in {409, 503}
                assert time.monotonic() < deadline, "the key of a request that died is still running"
                time.sleep(0.1)
            again = write(client)
        assert (again.status_code, again.content) == (201, answer.content)
        return again

    def bears_a_crash(self) -> None:
        """A crashed server is a 503, and every process is back when it is."""
        with self.called() as callers:
            self.postgres.crash()
            crashed = time.monotonic()
            time.sleep(3)
            assert self.alive() < 1
            wait_ready(self.urls[0], 503, limit=1)
            self.postgres.start()
            accepting = time.monotonic()
            assert callers.wait_for(200, accepting, 10) < 3
            for url in self.urls:
                wait_ready(url, 200, limit=10)
        assert {call.status for call in callers.calls} == {200, 503}
        refused_properly([call for call in callers.calls if crashed + 0.1 < call.began < accepting - 1])
        # No connection that died comes back out of the pool.
        assert {call.status for call in callers.between(accepting + 3, time.monotonic())} <= {200}

    @contextmanager
    def bearing_a_crowd(self) -> Iterator[None]:
        """A server without free connections is a 503 and not a crash; within, there are none."""
        with self.called() as callers:
            with self.postgres.crowded():
                wait_ready(self.urls[0], 503)
                self.stays_alive(time.monotonic() + 3)
                yield
                free = time.monotonic()
            assert callers.wait_for(200, free, 5) < 5
        # Connections that the service had go on serving; who finds none is told so.
        assert {call.status for call in callers.calls} <= {200, 503}
        assert max(call.seconds for call in callers.calls) < LIMIT
