"""A PostgreSQL that crashes or stands still: quick 503s meanwhile, and no process has to be started again."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from breakable_postgres import BreakablePostgres, Callers, timed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]

LIMIT = 6.0  # one wait of 4.5 s, and the way there and back


@pytest.fixture(scope="module")
def postgres() -> Iterator[BreakablePostgres]:
    with BreakablePostgres() as server:
        yield server


@pytest.fixture(scope="module")
def running(postgres: BreakablePostgres, open_shared_house: Callable[..., Any]) -> Any:
    """An installation on a server of its own, with all its processes; the same ones for all tests."""
    house = open_shared_house(OCHAQ_DATABASE_URL=postgres.database("ochaq_files"))
    return house, [house.start(command) for command in ("serve", "relay", "consume")]


@pytest.fixture
def open_client(running: Any, person: str) -> Callable[[], httpx.Client]:
    house, (serve, *_) = running
    return lambda: house.client(serve, person, "instructor")


@pytest.fixture(autouse=True)
def _nobody_died(running: Any) -> Iterator[None]:
    yield
    house, processes = running
    for process in processes:
        house.wait(lambda url=process.url: is_ready(url))
        assert process.popen.poll() is None
        said = process.log.read_text()
        assert "request.failed" not in said, said[-3000:]


def is_ready(url: str) -> bool:
    return timed(lambda: httpx.get(f"{url}/readyz", timeout=10)).status == 200


def files(client: httpx.Client) -> httpx.Response:
    return client.get("/api/v1/files/")


def alive(processes: list[Any]) -> float:
    calls = [timed(lambda url=process.url: httpx.get(f"{url}/livez", timeout=10)) for process in processes]
    assert [call.status for call in calls] == [200] * len(calls)
    return max(call.seconds for call in calls)


def test_a_frozen_server_costs_each_request_seconds_and_no_process_its_life(
    postgres: BreakablePostgres, running: Any, open_client: Callable[[], httpx.Client]
) -> None:
    _, processes = running
    callers = Callers(files, open_client, count=8)
    with callers.calling():
        callers.wait_for(200, time.monotonic(), 5)
        with postgres.frozen():
            frozen = time.monotonic()
            while time.monotonic() < frozen + 14:
                assert alive(processes) < 1
                time.sleep(0.1)
            assert not is_ready(processes[0].url)
            thawed = time.monotonic()
        assert callers.wait_for(200, thawed, 5) < 5
    during = [call for call in callers.calls if frozen + 0.2 < call.ended < thawed]
    assert {(call.status, call.code) for call in during} == {(503, "unavailable")}
    assert all("Retry-After" in call.headers for call in during)
    assert max(call.seconds for call in callers.calls) < LIMIT
    # Most fail at once, because one has found out for all.
    assert sum(call.seconds < 0.5 for call in during) > len(during) / 2


def test_an_upload_caught_by_a_frozen_server_is_refused_in_time_and_its_retry_succeeds(
    postgres: BreakablePostgres, open_client: Callable[[], httpx.Client]
) -> None:
    content, key = os.urandom(5000), {"Idempotency-Key": "frozen-1"}

    def upload(client: httpx.Client) -> httpx.Response:
        return client.post("/api/v1/files/", files={"file": ("a.bin", content)}, headers=key)

    with open_client() as client:
        with postgres.frozen():
            call = timed(lambda: upload(client))
            assert (call.status, call.code) == (503, "unavailable")
            assert call.seconds < LIMIT
        deadline = time.monotonic() + 5
        while (answer := upload(client)).status_code != 201:
            assert answer.status_code in {409, 503}
            assert time.monotonic() < deadline, "the key of a request that died is still running"
            time.sleep(0.1)
        again = upload(client)
    assert (again.status_code, again.content) == (201, answer.content)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_crashed_server_is_503_and_everybody_is_back_when_it_is(
    postgres: BreakablePostgres, running: Any, open_client: Callable[[], httpx.Client]
) -> None:
    house, processes = running
    callers = Callers(files, open_client, count=8)
    with callers.calling():
        callers.wait_for(200, time.monotonic(), 5)
        postgres.crash()
        time.sleep(3)
        assert alive(processes) < 1
        postgres.start()
        accepting = time.monotonic()
        assert callers.wait_for(200, accepting, 10) < 3
        for process in processes:
            house.wait(lambda url=process.url: is_ready(url), 10)
    assert {call.status for call in callers.calls} == {200, 503}
    # No connection that died comes back out of the pool.
    assert {call.status for call in callers.between(accepting + 3, time.monotonic())} <= {200}


def test_a_server_without_free_connections_is_503_and_not_a_crash(
    postgres: BreakablePostgres, running: Any, open_client: Callable[[], httpx.Client]
) -> None:
    callers = Callers(files, open_client, count=8)
    with callers.calling():
        callers.wait_for(200, time.monotonic(), 5)
        with postgres.crowded():
            time.sleep(3)
            assert not is_ready(running[1][0].url)
            free = time.monotonic()
        assert callers.wait_for(200, free, 5) < 5
    assert {call.status for call in callers.calls} <= {200, 503}
    assert max(call.seconds for call in callers.calls) < LIMIT
