"""A running Ochaq as its users reach it: through the gateway, with the demo school's accounts."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import ClientConnection, connect


class StoryBroken(Exception):
    """A step did not hold; the message says which and how."""


def hold(condition: object, otherwise: str) -> None:
    """Every step's assertion, alive under `python -O` too."""
    if not condition:
        raise StoryBroken(otherwise)


@dataclass
class Campus:
    """The gateway's address, the demo password and one signed-in client per role."""

    url: str
    password: str
    users: dict[str, str]
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _clients: dict[str, httpx.Client] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Path) -> Campus:
        """The campus whose `make up` keeps its state in `state`."""
        path = state / "demo.json"
        hold(path.exists(), f"{path} is not there; run `make up` first")
        return cls(**json.loads(path.read_text()))

    def client(self, role: str | None = None) -> httpx.Client:
        """An HTTP client; signed in with a fresh access token when `role` is given."""
        name = role or "anonymous"
        if name not in self._clients:
            self._clients[name] = httpx.Client(base_url=self.url, timeout=30, trust_env=False)
        if role:
            self._clients[name].headers["Authorization"] = f"Bearer {self.token(role)}"
        return self._clients[name]

    def token(self, role: str) -> str:
        """An access token of the demo user with that role; waits when the limiter asks for it."""
        token, until = self._tokens.get(role, ("", 0.0))
        if time.monotonic() < until:
            return token
        body = {"username": self.users[role], "password": self.password}
        for _ in range(40):
            answer = self._sign_in(body)
            if answer is not None:
                hold(answer.status_code == 200, f"signing in as {role}: {answer.status_code} {answer.text[:200]}")
                self._tokens[role] = (answer.json()["access"], time.monotonic() + 300)
                return str(answer.json()["access"])
        raise StoryBroken(f"signing in as {role}: no answer")

    def _sign_in(self, body: dict[str, str]) -> httpx.Response | None:
        """The answer, or None when the gateway asks to come back later (it then has waited)."""
        try:
            answer = self.client().post("/api/token/", json=body)
        except httpx.TransportError:
            time.sleep(0.5)
            return None
        if answer.status_code in {429, 502, 503}:
            time.sleep(min(15, int(answer.headers.get("Retry-After", "2"))))
            return None
        return answer

    @contextmanager
    def socket(self, role: str) -> Iterator[ClientConnection]:
        """A WebSocket of the demo user with that role."""
        address = self.url.replace("http", "ws", 1) + "/ws/"
        headers = {"Authorization": f"Bearer {self.token(role)}"}
        with connect(address, additional_headers=headers, origin=self.url, proxy=None, open_timeout=15) as socket:  # type: ignore[arg-type]
            yield socket

    def close(self) -> None:
        for client in self._clients.values():
            client.close()


def get(client: httpx.Client, path: str, *, method: str = "GET", seconds: float = 0, **options: Any) -> httpx.Response:
    """GET (or HEAD) that rides out a service's restart for up to `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            answer = client.request(method, path, **options)
            if answer.status_code not in {429, 502, 503, 504} or time.monotonic() > deadline:
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)


def post(client: httpx.Client, path: str, *, key: str, seconds: float = 0, **options: Any) -> httpx.Response:
    """POST with an Idempotency-Key, so that riding out a restart never does a thing twice."""
    deadline = time.monotonic() + seconds
    headers = {"Idempotency-Key": key}
    while True:
        try:
            answer = client.post(path, headers=headers, **options)
            if answer.status_code not in {409, 429, 502, 503, 504} or time.monotonic() > deadline:
                return answer
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
        time.sleep(0.2)
