"""Real `serve` processes on free ports, signed identities, and clients that speak the contract's protocol."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import redis
from free_ports import free_port
from ochaq_shared import live
from ochaq_shared.identity import Signer, create_keys
from websockets.asyncio.client import ClientConnection, connect

PUBLIC_URL = "http://school.test:8080"


@dataclass
class Client:
    """One socket: what came, in order, and what is asked of it."""

    socket: ClientConnection
    seen: list[dict[str, Any]] = field(default_factory=list)

    async def send(self, **message: Any) -> None:
        await self.socket.send(json.dumps(message))

    async def next(self, patience: float = 5) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(await asyncio.wait_for(self.socket.recv(), patience))
        self.seen.append(message)
        return message

    async def until(self, wanted: Callable[[dict[str, Any]], bool], patience: float = 5) -> dict[str, Any]:
        """The next message that is wanted; everything before it stays in `seen`."""
        while True:
            message = await self.next(patience)
            if wanted(message):
                return message

    async def kind(self, kind: str, patience: float = 5) -> dict[str, Any]:
        return await self.until(lambda message: message["type"] == kind, patience)

    async def subscribe(self, topic: str = "user", after: int | None = None) -> dict[str, Any]:
        await self.send(type="subscribe", topic=topic, **({} if after is None else {"after": after}))
        return await self.until(lambda m: m["type"] in ("subscribed", "problem") and m.get("topic") == topic)

    async def events(self, count: int, patience: float = 5) -> list[dict[str, Any]]:
        """That many events, whatever else comes between them."""
        return [await self.kind("event", patience) for _ in range(count)]

    async def until_heard(self, *numbers: int | None) -> None:
        """Until each of these events came, in whatever order."""
        while not set(numbers) <= set(self.ids()):
            await self.kind("event")

    async def quiet(self, seconds: float = 0.3) -> None:
        """Nothing more comes."""
        with pytest.raises(TimeoutError):
            await self.next(seconds)

    async def close_code(self, patience: float = 8) -> int:
        await asyncio.wait_for(self.socket.wait_closed(), patience)
        return self.socket.close_code or 0

    def ids(self) -> list[int]:
        return [m["id"] for m in self.seen if m["type"] == "event" and m["id"] is not None]


@dataclass
class Realtime:
    """A running `serve` process and the Redis it listens to."""

    port: int
    process: subprocess.Popen[bytes]
    redis: redis.Redis
    signer: Signer

    def token(self, user: str, *roles: str, session: str | None = "s1", audience: str = "realtime") -> str:
        return self.signer.sign(audience, user, roles=roles, session=session)

    @asynccontextmanager
    async def client(
        self, user: str, *roles: str, path: str = "/ws/", origin: str | None = PUBLIC_URL, session: str | None = "s1"
    ) -> AsyncIterator[Client]:
        headers = {"Authorization": f"Bearer {self.token(user, *roles, session=session)}"} if user else {}
        async with self.connect(path, headers, origin) as found:
            yield Client(found)

    def connect(self, path: str, headers: dict[str, str], origin: Any) -> connect:
        url = f"ws://127.0.0.1:{self.port}{path}"
        return connect(url, additional_headers=headers, origin=origin, compression=None, max_queue=None, proxy=None)

    def append(self, user: str, name: str = "jobs.job.changed", **data: Any) -> int | None:
        return live.append(self.redis, live.personal(user), event(name, **data))

    @staticmethod
    def event(name: str = "jobs.job.changed", **data: Any) -> live.LiveEvent:
        return event(name, **data)

    @staticmethod
    def someone() -> str:
        """The id of a person no other test knows."""
        return str(uuid.uuid4())

    def get(self, path: str) -> httpx.Response:
        return httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5)

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(sig)
        return self.process.wait(15)


def event(name: str = "jobs.job.changed", *, event_id: str = "", **data: Any) -> live.LiveEvent:
    if name.startswith("jobs.job."):
        data = {"kind": "students.generate", "status": "running", "result": None, "error": None, **data}
    return live.LiveEvent(event_id or str(uuid.uuid4()), name, live.timestamp(), data)


def start_process(directory: Path, redis_url: str, process: str = "serve", **settings: str) -> Realtime:
    create_keys(directory, ["web", "realtime"])
    for _ in range(3):
        try:
            return begin_process(directory, redis_url, free_port(), process, settings)
        except ChildProcessError as error:
            # Somebody else on this machine took the port between our looking and the process's binding.
            failure = error
    raise failure


def begin_process(directory: Path, redis_url: str, port: int, name: str, settings: dict[str, str]) -> Realtime:
    environ = {
        "OCHAQ_MODE": "test",
        "OCHAQ_PUBLIC_URL": PUBLIC_URL,
        "OCHAQ_BIND_PORT": str(port),
        "OCHAQ_SIGNING_KEY_FILE": str(directory / "realtime.pem"),
        "OCHAQ_JWKS_FILE": str(directory / "jwks.json"),
        "OCHAQ_AMQP_URL": "amqp://127.0.0.1:1",
        "OCHAQ_REDIS_URL": redis_url,
        **{f"OCHAQ_{name}_URL": "http://127.0.0.1:1" for name in ("WEB", "FILES", "SEARCH", "REALTIME")},
        **settings,
    }
    clean = {name: value for name, value in os.environ.items() if not name.startswith("OCHAQ_")}
    with (directory / f"{name}-{port}.log").open("wb") as log:
        command = [sys.executable, "-m", "ochaq_realtime", name]
        process = subprocess.Popen(command, env={**clean, **environ}, stdout=log, stderr=log)
    running = Realtime(port, process, redis.Redis.from_url(redis_url), Signer(directory / "web.pem", "web"))
    wait_ready(running, directory / f"{name}-{port}.log")
    return running


def wait_ready(running: Realtime, log: Path) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline and running.process.poll() is None:
        try:
            if running.get("/readyz").status_code == 200:
                return
        except httpx.HTTPError:
            time.sleep(0.05)
    running.redis.close()
    raise ChildProcessError(f"realtime did not become ready:\n{log.read_text()}")


Starter = Callable[..., Realtime]


@contextmanager
def starting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    running: list[Realtime] = []

    def begin(redis_url: str, process: str = "serve", **settings: str) -> Realtime:
        running.append(start_process(tmp_path_factory.mktemp("realtime"), redis_url, process, **settings))
        return running[-1]

    yield begin
    for one in running:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(5)
        one.redis.close()


@pytest.fixture(scope="module")
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """Starts processes of the service and ends those that still run."""
    with starting(tmp_path_factory) as begin:
        yield begin


@pytest.fixture(scope="session", params=["daphne", "uvicorn"])
def realtime(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, servers: Any
) -> Iterator[Realtime]:
    """The same promises on both servers: a process of each that all tests share, each test with people of its own."""
    with starting(tmp_path_factory) as begin:
        yield begin(servers.redis_url(db=11), OCHAQ_REALTIME_SERVER=request.param)


@dataclass
class OwnRedis:
    """A Redis of the test's own, to be flushed, stopped and restarted."""

    directory: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def start(self) -> None:
        command = [
            "redis-server",
            "--port",
            str(self.port),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
            "--dir",
            self.directory,
        ]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with redis.Redis.from_url(self.url) as client:
            for _ in range(100):
                try:
                    client.ping()
                    return
                except redis.ConnectionError:
                    time.sleep(0.05)
        raise RuntimeError("redis-server did not start")

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait(5)


@pytest.fixture
def own_redis(tmp_path: Path) -> Iterator[OwnRedis]:
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed here")
    own = OwnRedis(tmp_path)
    own.start()
    yield own
    own.kill()
