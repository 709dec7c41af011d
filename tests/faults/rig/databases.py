"""Questions to the platform's databases, over a connection of their own each time: servers come and go here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, LiteralString

import psycopg
from ochaq_local.servers.postgres import ADMIN
from ochaq_platform import Platform

Rows = list[tuple[Any, ...]]


class Databases:
    """`web`, `files`, and PostgreSQL's own administrator."""

    def __init__(self, platform: Platform) -> None:
        self.secrets: dict[str, str] = json.loads((platform.state / "secrets.json").read_text())
        self.port: int = json.loads((platform.state / "ports.json").read_text())["postgres"]

    def web(self, query: LiteralString, values: Sequence[Any] = ()) -> Rows:
        return self._ask("web", query, values)

    def files(self, query: LiteralString, values: Sequence[Any] = ()) -> Rows:
        return self._ask("files", query, values)

    def number(self, service: str, query: LiteralString, values: Sequence[Any] = ()) -> int:
        """The one number a query answers."""
        return int(self._ask(service, query, values)[0][0])

    def url(self, service: str) -> str:
        secret = self.secrets[f"postgres_{service}"]
        return f"postgresql://ochaq_{service}:{secret}@127.0.0.1:{self.port}/ochaq_{service}?connect_timeout=3"

    @property
    def admin_url(self) -> str:
        secret = self.secrets["postgres_admin"]
        return f"postgresql://{ADMIN}:{secret}@127.0.0.1:{self.port}/postgres?connect_timeout=3"

    def admin(self, query: LiteralString) -> Rows:
        return _rows(self.admin_url, query, ())

    def _ask(self, service: str, query: LiteralString, values: Sequence[Any]) -> Rows:
        return _rows(self.url(service), query, values)


def _rows(url: str, query: LiteralString, values: Sequence[Any]) -> Rows:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query, values or None)
        return list(cursor.fetchall()) if cursor.description else []
