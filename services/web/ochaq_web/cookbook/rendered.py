"""Rendered answers in Redis: bytes that are the same for everybody, thrown away when the cookbook changes.

How it holds together:

- Every entry carries the *generation* it was rendered in. A committed change replaces the generation, which makes all
  entries old at once. The generation is read before the database is, so an entry can never claim to be newer than its
  rows. It is a random word, not a number, so an evicted or flushed one cannot come back by counting.
- An old entry is rendered anew by one request, the holder of a short lock (single flight). When only its time is up,
  everybody else gets the old bytes meanwhile (stale-while-revalidate, RFC 5861); when the cookbook changed they wait
  for the new ones, so that a writer reads what it has written.
- Without Redis every answer comes from the database. A change committed while Redis was away is told again by the
  consumer of `cookbook.recipe.*` (see `events.py`), and time limits bound the rest.
"""

from __future__ import annotations

import hashlib
import random
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache
from typing import Any

import orjson
import redis
import structlog
from django.conf import settings
from django.db import transaction
from ochaq_shared.unavailable import Unavailable
from prometheus_client import Counter

log = structlog.get_logger(__name__)

FRESH_SECONDS = 60.0
JITTER = 0.1  # so that answers that were rendered together do not expire together
STALE_SECONDS = 60.0
LOCK_SECONDS = 5.0
WAIT_SECONDS = 2.0
REST_SECONDS = 1.0

_PREFIX = "web:cookbook"
_GENERATION = f"{_PREFIX}:generation"
_UNLOCK = "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end"

ANSWERS = Counter("ochaq_rendered_answers_total", "Answers by where they came from", ["family", "outcome"])


@dataclass(frozen=True)
class Rendering:
    """Freshly rendered bytes and their strong validator; without one the bytes' hash is it."""

    body: bytes
    etag: str = ""

    def validator(self) -> str:
        return self.etag or f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'


Render = Callable[[], Rendering]


@dataclass(frozen=True)
class Answer:
    """The bytes and where they came from. `ttl` is in seconds, and below zero for an answer served while stale."""

    body: bytes
    etag: str
    status: str  # hit, miss or bypass
    ttl: int

    @property
    def cache_status(self) -> str:
        """The value of `Cache-Status` (RFC 9211)."""
        if self.status == "hit":
            return f"ochaq-web; hit; ttl={self.ttl}"
        if self.status == "miss":
            return f"ochaq-web; fwd=miss; stored; ttl={self.ttl}"
        return "ochaq-web; fwd=bypass"


@dataclass(frozen=True)
class _Entry:
    generation: str
    etag: str
    expires: float
    body: bytes

    def pack(self) -> bytes:
        return orjson.dumps([self.generation, self.etag, self.expires]) + b"\n" + self.body

    @classmethod
    def unpack(cls, packed: bytes) -> _Entry | None:
        head, _, body = packed.partition(b"\n")
        try:
            generation, etag, expires = orjson.loads(head)
            return cls(generation, etag, expires, body)
        except (ValueError, TypeError):
            return None  # written by another version of this file: as good as nothing

    def answer(self, status: str = "hit") -> Answer:
        return Answer(self.body, self.etag, status, round(self.expires - time.time()))


class Away(Unavailable):
    """Redis does not answer, or has not just now."""


class Store:
    """The few commands we need, given up quickly: a page must not wait for a cache."""

    def __init__(self, url: str) -> None:
        self._redis = redis.Redis.from_url(url, socket_connect_timeout=0.25, socket_timeout=0.5)
        self._away_until = 0.0

    def call(self, command: Callable[[Any], Any]) -> Any:
        """Run `command` on the client; raises `Away`."""
        if time.monotonic() < self._away_until:
            raise Away
        try:
            return command(self._redis)
        except redis.RedisError as error:
            # One request pays the time limit, the others of the next second do not.
            self._away_until = time.monotonic() + REST_SECONDS
            log.warning("rendered.cache_away", error=type(error).__name__)
            raise Away from error


@cache
def store() -> Store:
    """This process's store, on the cache's Redis database."""
    return Store(settings.CACHES["default"]["LOCATION"])


_bypassed: ContextVar[bool] = ContextVar("bypassed", default=False)


@contextmanager
def bypassed() -> Iterator[None]:
    """Inside this block every answer is rendered anew and nothing is stored: for benches and for finding out a cost."""
    token = _bypassed.set(True)
    try:
        yield
    finally:
        _bypassed.reset(token)


def answer(family: str, key: str, render: Render) -> Answer:
    """The cached answer of `key`, or a fresh one. `family` names the kind of answer in keys and metrics."""
    found = _bypass(render) if _bypassed.get() else _answer(f"{_PREFIX}:{family}:{key}", render)
    ANSWERS.labels(family, found.status).inc()
    return found


def forget_after_commit() -> None:
    """Make all entries old once the current transaction has committed, and never if it rolls back."""
    connection = transaction.get_connection()
    if not any(entry[1] is forget for entry in connection.run_on_commit):
        transaction.on_commit(forget, robust=True)


def forget() -> None:
    """Make all entries old now. While Redis is away there is nothing to do: see the module's last paragraph."""
    try:
        store().call(lambda client: client.set(_GENERATION, uuid.uuid4().hex))
    except Away:
        log.warning("rendered.forget_skipped")


def forget_strictly() -> None:
    """The same for a caller that can try again: raises `Away`."""
    store().call(lambda client: client.set(_GENERATION, uuid.uuid4().hex))


def _answer(key: str, render: Render) -> Answer:
    deadline = time.monotonic() + WAIT_SECONDS
    pause = 0.005
    try:
        while True:
            generation, entry = _read(key)
            if entry is not None and _fresh(entry, generation):
                return entry.answer()
            token = _lock(key)
            if token is not None:
                return _render_locked(key, token, render)
            if entry is not None and entry.generation == generation:
                return entry.answer()  # only its time is up, and somebody is at work already
            if time.monotonic() > deadline:
                return _bypass(render)
            time.sleep(pause)
            pause = min(pause * 1.5, 0.05)
    except Away:
        return _bypass(render)


def _render_locked(key: str, token: str, render: Render) -> Answer:
    try:
        # Between our reading and our lock somebody else may have done the work.
        generation, entry = _read(key)
        if entry is not None and _fresh(entry, generation):
            return entry.answer()
        return _render(key, generation, render)
    finally:
        _unlock(key, token)


def _fresh(entry: _Entry, generation: str) -> bool:
    return entry.generation == generation and time.time() < entry.expires


def _render(key: str, generation: str, render: Render) -> Answer:
    made = render()
    lifetime = FRESH_SECONDS * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - jitter
    entry = _Entry(generation, made.validator(), time.time() + lifetime, made.body)
    try:
        store().call(lambda client: client.set(key, entry.pack(), px=int((lifetime + STALE_SECONDS) * 1000)))
    except Away:
        return _uncached(made)
    return entry.answer("miss")


def _bypass(render: Render) -> Answer:
    return _uncached(render())


def _uncached(made: Rendering) -> Answer:
    return Answer(made.body, made.validator(), "bypass", 0)


def _read(key: str) -> tuple[str, _Entry | None]:
    """The current generation and the entry, in one round trip."""
    generation, packed = store().call(lambda client: client.mget(_GENERATION, key))
    if generation is None:
        generation = store().call(_first_generation)
    return generation.decode(), _Entry.unpack(packed) if packed else None


def _first_generation(client: Any) -> bytes:
    client.set(_GENERATION, uuid.uuid4().hex, nx=True)
    found: bytes = client.get(_GENERATION) or b""
    return found


def _lock(key: str) -> str | None:
    token = uuid.uuid4().hex
    taken = store().call(lambda client: client.set(f"{key}:lock", token, nx=True, px=int(LOCK_SECONDS * 1000)))
    return token if taken else None


def _unlock(key: str, token: str) -> None:
    try:
        store().call(lambda client: client.eval(_UNLOCK, 1, f"{key}:lock", token))
    except Away:
        log.warning("rendered.unlock_skipped")  # it ends by itself after LOCK_SECONDS
