"""A PostgreSQL that crashes or stands still: quick 503s meanwhile, and no process has to be started again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from breakable_postgres import BreakablePostgres
from failing_database import Service, wait_ready

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


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
    _, processes = running
    for process in processes:
        wait_ready(process.url, 200)
        assert process.popen.poll() is None
        said = process.log.read_text()
        assert "request.failed" not in said, said[-3000:]


@pytest.fixture
def files(postgres: BreakablePostgres, running: Any, open_client: Callable[[], httpx.Client]) -> Service:
    _, processes = running
    urls = [process.url for process in processes]
    return Service(postgres, urls, lambda client: client.get("/api/v1/files/"), open_client)


def test_a_frozen_server_costs_each_request_seconds_and_no_process_its_life(files: Service) -> None:
    files.bears_a_freeze()


def test_an_upload_caught_by_a_frozen_server_is_refused_in_time_and_its_retry_succeeds(files: Service) -> None:
    content, key = os.urandom(5000), {"Idempotency-Key": "frozen-1"}

    def upload(client: httpx.Client) -> httpx.Response:
        return client.post("/api/v1/files/", files={"file": ("a.bin", content)}, headers=key)

    again = files.bears_a_freeze_in_a_write(upload, retry=5)
    assert again.headers["Idempotency-Replayed"] == "true"


def test_a_crashed_server_is_503_and_everybody_is_back_when_it_is(files: Service) -> None:
    files.bears_a_crash()


def test_a_server_without_free_connections_is_503_and_not_a_crash(files: Service) -> None:
    with files.bearing_a_crowd():
        pass
