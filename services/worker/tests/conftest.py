"""A small house of real processes for the worker's tests: web's serve, relay and consume, and workers to be killed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from free_ports import free_port
from ochaq_shared.identity import Signer, create_keys

SERVICES = ["web", "worker", "realtime", "files", "search"]
NOWHERE = "http://127.0.0.1:9"
MAKE_MANAGER = """
from django.contrib.auth.models import Group
from ochaq_web.accounts.models import User
user = User.objects.create_user("manager@example.com", "salt and pepper 42")
user.groups.set(Group.objects.filter(name="manager"))
print(user.pk)
"""


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
        return self.start("ochaq_worker", "work", OCHAQ_WORKER_CONCURRENCY="1", **more)

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

    def stop_all(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                self.stop(process)


def answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).status_code == 200
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


@pytest.fixture(scope="session")
def house(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Web with a fresh database, vhost and Redis; no worker yet."""
    keys, logs = tmp_path_factory.mktemp("keys"), tmp_path_factory.mktemp("logs")
    create_keys(keys, SERVICES)
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    found = House(
        {
            "OCHAQ_MODE": "test",
            "OCHAQ_PUBLIC_URL": url,
            "OCHAQ_JWKS_FILE": str(keys / "jwks.json"),
            "OCHAQ_AMQP_URL": servers.amqp_url(),
            "OCHAQ_REDIS_URL": servers.redis_url(14),
            "OCHAQ_CACHE_URL": servers.redis_url(15),
            "OCHAQ_DATABASE_URL": servers.database("worker"),
            "OCHAQ_WEB_URL": url,
            "OCHAQ_FILES_URL": NOWHERE,
            "OCHAQ_SEARCH_URL": NOWHERE,
            "OCHAQ_REALTIME_URL": NOWHERE,
            "OCHAQ_SECRET_KEY": "a secret of the tests, long enough to be one",
            "OCHAQ_STATIC_ROOT": str(logs / "static"),
        },
        keys,
        logs,
    )
    try:
        found.run("migrate")
        found.run("manage", "shell", "-c", MAKE_MANAGER)
        found.start("ochaq_web", "serve", port=port)
        found.start("ochaq_web", "relay")
        found.start("ochaq_web", "consume")
        yield found
    finally:
        found.stop_all()


@pytest.fixture(scope="session")
def manager(house: House) -> Iterator[httpx.Client]:
    """A client of web's API with a manager's token."""
    form = {"username": "manager@example.com", "password": "salt and pepper 42"}
    answer = httpx.post(f"{house.web_url}/api/token/", json=form, timeout=10, trust_env=False)
    headers = {"Authorization": f"Bearer {answer.json()['access']}"}
    with httpx.Client(base_url=house.web_url, headers=headers, timeout=10, trust_env=False) as client:
        yield client


@pytest.fixture
def signer(house: House) -> Signer:
    return Signer(house.keys / "worker.pem", "worker")


@pytest.fixture
def workers(house: House) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """workers() starts a worker; all of them are gone after the test."""
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> subprocess.Popen[bytes]:
        started.append(house.worker(**more))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            house.stop(process)
