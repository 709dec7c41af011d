"""What tests ask of their servers: fresh databases, emptied Redis numbers, fresh vhosts."""

from __future__ import annotations

import uuid
from typing import Protocol

import psycopg
import redis

VHOSTS_AT_ONCE = 4
"""How many are made when the first one was not enough."""


class Source(Protocol):
    """Where the servers come from. Each address starts its server when that is needed."""

    throwaway: bool  # whether the servers end with the test run, so that nothing on them has to be tidied up

    def postgres(self) -> str: ...

    def redis(self) -> str: ...

    def amqp(self) -> str: ...

    def rabbitmqctl(self, *args: str) -> None: ...

    def close(self) -> None: ...


class Servers:
    """The servers of one test run, and what it made on them."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._databases: list[str] = []
        self._vhosts: list[str] = []
        self._spare: list[str] = []

    @property
    def postgres(self) -> str:
        return self.source.postgres()

    @property
    def redis(self) -> str:
        return self.source.redis()

    @property
    def amqp(self) -> str:
        return self.source.amqp()

    def database(self, name: str) -> str:
        """URL of a fresh, empty database that lives as long as the test run."""
        unique = f"{name}_{uuid.uuid4().hex[:10]}"
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{unique}"'.encode())
        self._databases.append(unique)
        return f"{self.postgres.rpartition('/')[0]}/{unique}"

    def redis_url(self, db: int = 0) -> str:
        """URL of one emptied Redis database."""
        url = f"{self.redis}/{db}"
        with redis.Redis.from_url(url) as client:
            client.flushdb()
        return url

    def amqp_url(self) -> str:
        """URL of a fresh vhost."""
        base = self.amqp
        if not self._spare:
            self._make_vhosts(VHOSTS_AT_ONCE if self._vhosts else 1)
        return f"{base}/{self._spare.pop()}"

    def _make_vhosts(self, count: int) -> None:
        names = [f"test-{uuid.uuid4().hex[:10]}" for _ in range(count)]
        permit = 'rabbit_auth_backend_internal:set_permissions(<<"%s">>, V, <<".*">>, <<".*">>, <<".*">>, <<"test">>)'
        self._for_vhosts(names, f'rabbit_vhost:add(V, <<"test">>), {permit % self.amqp_user}')
        self._vhosts += names
        self._spare += names

    def _for_vhosts(self, names: list[str], what: str) -> None:
        """One call for all of it: each starts an Erlang machine, which takes longer than most tests."""
        listed = ", ".join(f'<<"{name}">>' for name in names)
        self.source.rabbitmqctl("eval", f"lists:foreach(fun(V) -> {what} end, [{listed}]).")

    @property
    def amqp_user(self) -> str:
        return self.amqp.split("://", 1)[1].split(":", 1)[0]

    def clean(self) -> None:
        if self.source.throwaway:
            return
        if self._databases:
            self._drop_databases()
        if self._vhosts:
            self._for_vhosts(self._vhosts, 'rabbit_vhost:delete(V, <<"test">>)')

    def _drop_databases(self) -> None:
        with psycopg.connect(self.postgres, autocommit=True) as connection:
            for name in self._databases:
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'.encode())
