"""Fixtures: the real processes of the files service, on real servers and free ports."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from free_ports import free_port
from ochaq_shared.identity import Signer, create_keys
from psycopg.rows import dict_row

ACCESS_KEY, SECRET_KEY, BUCKET = "test-access", "test-secret-key", "ochaq"


def wait_until(ready: Callable[[], Any], seconds: float = 20) -> Any:
    """The first true value of `ready`, which may also fail while things start."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if value := ready():
                return value
        except (httpx.TransportError, OSError):
            pass
        assert time.monotonic() < deadline, f"not ready after {seconds} s"
        time.sleep(0.05)


@dataclass
class Process:
    """One process of the service under test."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path

    def kill(self) -> None:
        """As the kernel does it: no goodbye."""
        self.popen.send_signal(signal.SIGKILL)
        self.popen.wait()


@dataclass
class House:
    """One installation of the files service: its settings, its keys, its processes."""

    environment: dict[str, str]
    directory: Path
    signer: Signer
    database_url: str
    _running: ExitStack = field(default_factory=ExitStack)

    def start(self, command: str, **settings: str) -> Process:
        """Start a process and wait until it is ready."""
        process = self.spawn(command, **settings)
        wait_until(lambda: httpx.get(f"{process.url}/readyz").status_code == 200)
        return process

    def spawn(self, command: str, **settings: str) -> Process:
        port = free_port()
        log = self.directory / f"{command}-{port}.log"
        environment = {**self.environment, "OCHAQ_BIND_PORT": str(port), **settings}
        with log.open("wb") as sink:
            popen = subprocess.Popen(
                [sys.executable, "-m", "ochaq_files", command], env=environment, stdout=sink, stderr=sink
            )
        self._running.callback(_end, popen)
        return Process(popen, f"http://127.0.0.1:{port}", log)

    @staticmethod
    def wait(ready: Callable[[], Any], seconds: float = 20) -> Any:
        """The first true value of `ready`."""
        return wait_until(ready, seconds)

    def client(self, process: Process, subject: str | None = None, *roles: str) -> httpx.Client:
        """A client that speaks for a user, or for nobody."""
        headers = {"Authorization": f"Bearer {self.token(subject, *roles)}"} if subject else {}
        return httpx.Client(base_url=process.url, headers=headers, timeout=60)

    def token(self, subject: str, *roles: str) -> str:
        return self.signer.sign("files", subject, roles=roles, lifetime=3600)

    def rows(self, sql: str, *params: Any) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(sql, params).fetchall()

    def execute(self, sql: str, *params: Any) -> None:
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            connection.execute(sql, params)

    def objects(self) -> list[str]:
        """The keys of the local object store."""
        root = self.directory / "objects"
        return sorted(str(path.relative_to(root)) for path in (root / "b").rglob("*") if path.is_file())

    def puts(self, *processes: Process) -> int:
        """How many objects the processes wrote, by their own count."""
        lines = [line for process in processes for line in httpx.get(f"{process.url}/metrics").text.splitlines()]
        return sum(int(float(line.split()[1])) for line in lines if line.startswith("ochaq_files_object_puts_total "))

    def objects_of(self, sha256: str) -> list[str]:
        return [key for key in self.objects() if sha256 in key]

    def scraps(self) -> list[Path]:
        """Unfinished files, whoever writes them."""
        return [*(self.directory / "spool").glob("*"), *(self.directory / "objects" / "unfinished").glob("*")]

    def events(self) -> list[dict[str, Any]]:
        """What was emitted, in order: the CloudEvents in the outbox."""
        return [row["body"] for row in self.rows("SELECT body FROM outbox ORDER BY id")]

    def close(self) -> None:
        self._running.close()


def _end(popen: subprocess.Popen[bytes]) -> None:
    if popen.poll() is None:
        popen.terminate()
        try:
            popen.wait(timeout=10)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a real S3 server: rclone over a local directory. It ignores conditions on purpose."""
    root = tmp_path_factory.mktemp("s3")
    (root / BUCKET).mkdir()
    port = free_port()
    rclone = Path(sys.executable).with_name("rclone")
    arguments = ["serve", "s3", str(root), "--addr", f"127.0.0.1:{port}", "--auth-key", f"{ACCESS_KEY},{SECRET_KEY}"]
    quiet = {**os.environ, "RCLONE_CONFIG": os.devnull, "RCLONE_LOG_LEVEL": "ERROR"}
    popen = subprocess.Popen([str(rclone), *arguments, "--vfs-cache-mode", "off"], env=quiet)
    try:
        wait_until(lambda: httpx.get(f"http://127.0.0.1:{port}/").status_code < 500)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end(popen)


def s3_settings(endpoint: str) -> dict[str, str]:
    return {
        "OCHAQ_OBJECT_STORE": "s3",
        "OCHAQ_S3_ENDPOINT": endpoint,
        "OCHAQ_S3_BUCKET": BUCKET,
        "OCHAQ_S3_ACCESS_KEY": ACCESS_KEY,
        "OCHAQ_S3_SECRET_KEY": SECRET_KEY,
    }


@dataclass
class Site:
    """What houses are built on: the servers, a vhost for one module, a database to copy."""

    servers: Any
    amqp_url: str
    template: str

    def database(self) -> str:
        """A migrated database: a copy, which takes a fraction of the time that the command does."""
        url: str = self.servers.database("ochaq_files")
        name, original = (address.rpartition("/")[2] for address in (url, self.template))
        with psycopg.connect(self.servers.postgres, autocommit=True) as connection:
            # Made by the servers, for them to remove it in the end, and made again as a copy.
            connection.execute(f'DROP DATABASE "{name}"'.encode())
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{original}"'.encode())
        return url


def migrate(house: House) -> None:
    migrated = house.spawn("migrate")
    assert migrated.popen.wait(60) == 0, migrated.log.read_text()


@contextmanager
def opened_house(site: Site, directory: Path, **settings: str) -> Iterator[House]:
    """An installation; one with a database of its own is migrated by the real command."""
    keys = directory / "keys"
    create_keys(keys, ["web", "files", "worker"])
    database_url = settings.get("OCHAQ_DATABASE_URL") or site.database()
    nowhere = "http://127.0.0.1:9"
    environment = {
        "PATH": os.environ["PATH"],
        "OCHAQ_MODE": "test",
        "OCHAQ_PUBLIC_URL": "http://127.0.0.1:8080",
        "OCHAQ_SIGNING_KEY_FILE": str(keys / "files.pem"),
        "OCHAQ_JWKS_FILE": str(keys / "jwks.json"),
        "OCHAQ_AMQP_URL": site.amqp_url,
        "OCHAQ_REDIS_URL": site.servers.redis,
        "OCHAQ_WEB_URL": nowhere,
        "OCHAQ_FILES_URL": nowhere,
        "OCHAQ_SEARCH_URL": nowhere,
        "OCHAQ_REALTIME_URL": nowhere,
        "OCHAQ_DATABASE_URL": database_url,
        "OCHAQ_OBJECT_STORE": "local",
        "OCHAQ_OBJECT_DIR": str(directory / "objects"),
        "OCHAQ_SPOOL_DIR": str(directory / "spool"),
        "OCHAQ_CLAIM_LEASE_SECONDS": "2",
        "OCHAQ_SWEEP_INTERVAL_SECONDS": "0.5",
        **settings,
    }
    house = House(environment, directory, Signer(keys / "web.pem", "web"), database_url)
    try:
        if "OCHAQ_DATABASE_URL" in settings:
            migrate(house)
        yield house
    finally:
        house.close()


@pytest.fixture(scope="session")
def template(servers: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database that the real command migrated and that nobody uses."""
    url: str = servers.database("ochaq_files")
    site = Site(servers, "amqp://127.0.0.1:9", url)
    with opened_house(site, tmp_path_factory.mktemp("template"), OCHAQ_DATABASE_URL=url):
        return url


@pytest.fixture(scope="module")
def site(servers: Any, template: str) -> Site:
    return Site(servers, servers.amqp_url(), template)


@pytest.fixture(scope="module")
def house(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """One installation for the tests of a module; each test brings its own people."""
    with opened_house(site, tmp_path_factory.mktemp("house")) as opened:
        yield opened


@pytest.fixture
def open_house(site: Site, tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Opens installations with settings of their own, for tests that break things."""
    with ExitStack() as houses:
        yield lambda **settings: houses.enter_context(opened_house(site, tmp_path, **settings))


@pytest.fixture(scope="module")
def open_shared_house(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., House]]:
    """The same for a module whose tests share one that they break."""
    with ExitStack() as houses:
        yield lambda **settings: houses.enter_context(opened_house(site, tmp_path_factory.mktemp("house"), **settings))


@pytest.fixture(scope="session")
def s3_store(s3: str) -> dict[str, str]:
    """The settings of an installation on the S3 server."""
    return s3_settings(s3)


@pytest.fixture(scope="module")
def serve(house: House) -> Process:
    return house.start("serve")


@pytest.fixture
def person() -> str:
    """Somebody nobody knows yet."""
    return str(uuid.uuid4())


@pytest.fixture
def client(house: House, serve: Process, person: str) -> Iterator[httpx.Client]:
    with house.client(serve, person, "instructor") as opened:
        yield opened
