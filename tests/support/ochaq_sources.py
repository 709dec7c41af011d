"""The sources of servers for tests: processes of this test run, containers, or servers that run already."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import psycopg
import pytest
from free_ports import free_port
from ochaq_local import account, guard, kept, supervisor
from ochaq_local.processes import Process
from ochaq_local.servers import postgres, rabbitmq, redis
from ochaq_local.servers.postgres import Postgres
from ochaq_local.servers.rabbitmq import RabbitMQ
from ochaq_local.servers.redis import Redis
from run_directories import fresh_directory, remove_directory
from server_addresses import Source

__all__ = ["Source", "containers", "external", "local"]

ADDRESSES = Path(__file__).resolve().parents[2] / ".local" / "servers.json"
SECONDS = 60
PASSWORD = "test-servers-only"


class Local:
    """Servers as processes of this test run: the configuration of `make up`, but without waiting for the disk."""

    throwaway = True

    def __init__(self, *, durable: bool = False) -> None:
        self.durable = durable
        self.account = account.for_servers()
        self.home = fresh_directory("ochaq-test-")
        self.instance = self.home.name.rpartition("-")[2]
        self.specs: list[guard.Spec] = []
        self.ports = {name: free_port() for name in ("postgres", "redis", "rabbitmq", "distribution", "mapper")}
        self._postgres: Postgres | None = None
        self._redis: Redis | None = None
        self._rabbitmq: RabbitMQ | None = None

    def postgres(self) -> str:
        if self._postgres is None:
            server = Postgres(self.home / "postgres", self.ports["postgres"], self.account, PASSWORD, self.durable)
            server.prepare()
            self._start(server.process(), lambda: postgres.answers(server.port))
            self._postgres = server
        return self._postgres.admin_url

    def redis(self) -> str:
        if self._redis is None:
            server = Redis(self.home / "redis", self.ports["redis"], self.account, PASSWORD, self.durable)
            server.prepare()
            self._start(server.process(), lambda: redis.answers(server.port, PASSWORD))
            self._redis = server
        return self._redis.url()

    def amqp(self) -> str:
        if self._rabbitmq is None:
            server = RabbitMQ(
                home=self.home / "rabbitmq",
                port=self.ports["rabbitmq"],
                distribution_port=self.ports["distribution"],
                mapper_port=self.ports["mapper"],
                account=self.account,
                password=PASSWORD,
                cookie=f"{PASSWORD}-{self.instance}",
                instance=self.instance,
            )
            server.prepare()
            self._start(server.process(), lambda: rabbitmq.answers(server.port))
            self._rabbitmq = server
        return self._rabbitmq.url(None)

    def rabbitmqctl(self, *args: str) -> None:
        self.amqp()
        assert self._rabbitmq is not None
        self._rabbitmq.control(*args)

    def _start(self, process: Process, answers: Callable[[], bool]) -> None:
        spec = process.spec(self.instance, die_with_parent=True)
        file = self.home / f"{process.name}.json"
        kept.write_json(file, spec, owner=self.account.owner if self.account.is_other else None)
        self.specs.append(spec)
        switch: dict[str, Any] = (
            {"user": process.user, "group": self.account.gid, "extra_groups": []} if process.user else {}
        )
        with (self.home / f"{process.name}.log").open("wb") as log:
            words = [supervisor.interpreter(), "-I", "-S", guard.__file__, str(file)]
            started = subprocess.Popen(
                words, cwd="/", stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, **switch
            )
        _wait(process.name, answers, lambda: started.poll() is None, self.home / f"{process.name}.log")
        started.returncode = 0  # It is ended by its id in `close`: Popen need not warn that it still runs.

    def close(self) -> None:
        for spec in self.specs:
            guard.end(guard.leftovers(spec))
        guard.end(guard.of_instance(self.instance))
        remove_directory(self.home)


def _wait(name: str, answers: Callable[[], bool], lives: Callable[[], bool], log: Path | None = None) -> None:
    deadline = time.monotonic() + SECONDS
    while not answers():
        if not lives() or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:] if log else ""
            raise RuntimeError(f"the test server {name} does not answer\n{said}")
        time.sleep(0.05)


def local() -> Source:
    return Local()


class External:
    """Servers that somebody else started: everything made on them is removed at the end."""

    throwaway = False

    def __init__(self, addresses: dict[str, Any]) -> None:
        self.addresses = addresses

    def postgres(self) -> str:
        return str(self.addresses["postgres"])

    def redis(self) -> str:
        return str(self.addresses["redis"])

    def amqp(self) -> str:
        return str(self.addresses["amqp"])

    def rabbitmqctl(self, *args: str) -> None:
        subprocess.run([*self.addresses["rabbitmqctl"], *args], check=True, capture_output=True, timeout=60)

    def close(self) -> None:
        """Nothing was started here."""


def external() -> Source:
    path = Path(os.environ.get("TEST_SERVERS_FILE") or ADDRESSES)
    if not path.exists():
        pytest.exit(f"TEST_SERVERS=external reads {path}: `python3 deploy/local servers` writes it.", returncode=4)
    return External(json.loads(path.read_text()))


class Containers:
    """Servers in containers of a Docker engine, by the images that deploy's manifests use."""

    throwaway = True
    images: tuple[str, str, str] = ("postgres:15", "redis:7", "rabbitmq:3.13")

    def __init__(self) -> None:
        self.running: dict[str, Any] = {}

    def postgres(self) -> str:
        environment = {"POSTGRES_USER": "ochaq", "POSTGRES_PASSWORD": PASSWORD}
        address = self._address("postgres", self.images[0], 5432, environment)
        url = f"postgresql://ochaq:{PASSWORD}@{address}/postgres"
        _wait("postgres", lambda: _connects(url), lambda: True)
        return url

    def redis(self) -> str:
        address = self._address("redis", self.images[1], 6379, {})
        return f"redis://{address}"

    def amqp(self) -> str:
        environment = {"RABBITMQ_DEFAULT_USER": "ochaq", "RABBITMQ_DEFAULT_PASS": PASSWORD}
        address = self._address("rabbitmq", self.images[2], 5672, environment)
        _wait("rabbitmq", lambda: rabbitmq.answers(int(address.rpartition(":")[2])), lambda: True)
        return f"amqp://ochaq:{PASSWORD}@{address}"

    def rabbitmqctl(self, *args: str) -> None:
        self.amqp()
        code, output = self.running["rabbitmq"].exec(["rabbitmqctl", *args])
        if code != 0:
            raise RuntimeError(output.decode(errors="replace"))

    def _address(self, name: str, image: str, port: int, environment: dict[str, str]) -> str:
        if name not in self.running:
            from testcontainers.core.container import DockerContainer

            container = DockerContainer(image).with_exposed_ports(port)
            for key, value in environment.items():
                container = container.with_env(key, value)
            self.running[name] = container.start()
        found = self.running[name]
        return f"{found.get_container_host_ip()}:{found.get_exposed_port(port)}"

    def close(self) -> None:
        for container in self.running.values():
            container.stop()


def containers() -> Source:
    reason = _no_docker()
    if reason:
        pytest.skip(f"TEST_SERVERS=containers: no Docker engine answers ({reason})")
    return Containers()


def _no_docker() -> str:
    """Why there is no Docker engine; empty where one answers. Docker's own client leaves sockets open on failure."""
    address = urlsplit(os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock"))
    try:
        with _docker_socket(address) as connection:
            connection.settimeout(5)
            connection.sendall(b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n")
            return "" if b" 200 " in connection.recv(64) else "it does not answer as Docker does"
    except OSError as error:
        return f"{address.geturl()}: {error.strerror or error}"


def _docker_socket(address: SplitResult) -> socket.socket:
    if address.scheme != "unix":
        return socket.create_connection((address.hostname or "127.0.0.1", address.port or 2375), timeout=5)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.connect(address.path)
    except OSError:
        connection.close()
        raise
    return connection


def _connects(url: str) -> bool:
    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True
