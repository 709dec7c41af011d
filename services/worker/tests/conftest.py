"""What the worker's tests share: one house of real processes, and workers to be killed."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from free_ports import free_port
from ochaq_shared.identity import Signer, create_keys
from worker_house import House, Jobs

SERVICES = ["web", "worker", "realtime", "files", "search"]
OVER = ("succeeded", "failed", "cancelled")
NOWHERE = "http://127.0.0.1:9"
MAKE_MANAGER = """
from django.contrib.auth.models import Group
from ochaq_web.accounts.models import User
user = User.objects.create_user("manager@example.com", "salt and pepper 42")
user.groups.set(Group.objects.filter(name__in=("manager", "operator")))
print(user.pk)
"""


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
            "OCHAQ_WORKER_SLIPS_DIR": str(logs / "slips"),
            "TMPDIR": str(logs),  # Celery's pool makes a folder that it leaves behind when it is killed
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


@pytest.fixture(scope="session")
def jobs(house: House, manager: httpx.Client) -> Jobs:
    return Jobs(manager, house)


@pytest.fixture
def signer(house: House) -> Signer:
    return Signer(house.keys / "worker.pem", "worker")


class Standing:
    """The worker of the tests that leave theirs as it was: a start of its own would take longer than most of them."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._process: subprocess.Popen[bytes] | None = None

    def there(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            self._process = self._house.worker()
        return self._process

    def gone(self) -> None:
        if self._process is not None and self._process.poll() is None:
            self._house.stop(self._process)


@pytest.fixture(scope="session")
def standing(house: House) -> Standing:
    return Standing(house)


@pytest.fixture
def worker(standing: Standing) -> subprocess.Popen[bytes]:
    """A worker with one slot, for a test that does it no harm and sees every job it starts end."""
    return standing.there()


@pytest.fixture
def workers(house: House, standing: Standing) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """workers() starts a worker; before the test there is none, and after it all of them are gone."""
    standing.gone()
    started: list[subprocess.Popen[bytes]] = []

    def start(**more: str) -> subprocess.Popen[bytes]:
        started.append(house.worker(**more))
        return started[-1]

    yield start
    for process in started:
        if process.poll() is None:
            house.stop(process)
