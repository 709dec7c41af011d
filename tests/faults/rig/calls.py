"""One operation of the ledger: asked with one key again and again until the platform has said what became of it."""

from __future__ import annotations

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from campus import Campus

TRY_AGAIN = {409, 429, 500, 502, 503, 504}
STILL_RUNNING = "idempotency.in_progress"
MOST_PAUSE = 1.0
HTTP_SECONDS = 40.0
"""Longer than any limit of the platform: an answer that never comes is then the platform's fault and not ours."""


@dataclass(frozen=True)
class Attempt:
    """One request and what came back. `status` is None where the connection broke before an answer."""

    at: float
    seconds: float
    status: int | None
    code: str = ""
    retry_after: str | None = None
    content_type: str = ""

    @property
    def is_5xx(self) -> bool:
        return self.status is not None and self.status >= 500


@dataclass
class Operation:
    """What a client wanted, and everything that happened until it knew."""

    kind: str
    mark: str
    method: str
    path: str
    role: str
    key: str | None
    options: Mapping[str, Any] = field(default_factory=dict)
    accepted: frozenset[int] = frozenset()
    """Refusals that are as good as a yes: a 409 for cancelling what just ended, say."""

    attempts: list[Attempt] = field(default_factory=list)
    body: bytes = b""
    answer: dict[str, Any] = field(default_factory=dict)
    status: int | None = None
    replayed: bool = False

    @property
    def acknowledged(self) -> bool:
        return self.status is not None and (self.status < 300 or self.status in self.accepted)

    @property
    def refused(self) -> bool:
        return self.status is not None and not self.acknowledged

    @property
    def in_doubt(self) -> bool:
        """Whether an earlier attempt may have been done without our hearing of it."""
        return any(attempt.status is None or attempt.is_5xx for attempt in self.attempts)

    @property
    def began(self) -> float:
        return self.attempts[0].at

    @property
    def seconds(self) -> float:
        """From the first request to the answer that counted."""
        last = self.attempts[-1]
        return last.at + last.seconds - self.began

    def __str__(self) -> str:
        story = " ".join(str(attempt.status or "lost") for attempt in self.attempts)
        return f"{self.kind} {self.mark} [{story}]"


def ask(campus: Campus, operation: Operation, *, patience: float, rng: random.Random) -> None:
    """Ask until there is an answer that counts; after `patience` seconds the operation stays without `status`."""
    deadline = time.monotonic() + patience
    while True:
        answer, attempt = request_once(campus, operation)
        operation.attempts.append(attempt)
        if answer is not None and _counts(operation, answer, attempt):
            operation.status, operation.body = answer.status_code, answer.content
            operation.replayed = answer.headers.get("idempotency-replayed") == "true"
            operation.answer = _json(answer)
            return
        if time.monotonic() > deadline:
            return
        time.sleep(_pause(attempt) + rng.uniform(0.02, 0.2))


def request_once(campus: Campus, operation: Operation) -> tuple[httpx.Response | None, Attempt]:
    """One request of an operation, whatever comes of it."""
    headers = {"Idempotency-Key": operation.key} if operation.key else {}
    client = campus.client(operation.role)
    at, began = time.time(), time.monotonic()
    try:
        answer = client.request(
            operation.method, operation.path, headers=headers, timeout=HTTP_SECONDS, **operation.options
        )
    except httpx.TransportError as error:
        return None, Attempt(at, time.monotonic() - began, None, type(error).__name__)
    seconds = time.monotonic() - began
    kind = answer.headers.get("content-type", "")
    code = str(_json(answer).get("code", "")) if answer.status_code >= 400 else ""
    return answer, Attempt(at, seconds, answer.status_code, code, answer.headers.get("retry-after"), kind)


def _counts(operation: Operation, answer: httpx.Response, attempt: Attempt) -> bool:
    if answer.status_code in operation.accepted:
        return True
    if answer.status_code == 409:
        return attempt.code != STILL_RUNNING
    return answer.status_code not in TRY_AGAIN


def _pause(attempt: Attempt) -> float:
    """As the answer asks, but never long: a client that waited politely would hide how soon the platform is back."""
    text = attempt.retry_after or "0"
    return min(MOST_PAUSE, float(text)) if text.isdigit() else 0.0


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
