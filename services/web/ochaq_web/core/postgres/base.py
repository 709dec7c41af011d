"""The backend that `DATABASES` names. Django looks for a class of this name in a module of this name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
from django.db.backends.postgresql import base
from ochaq_shared.postgres import outage, patience

from ochaq_web.core.postgres.absence import absence

CHECK_SECONDS = 1.0
"""A connection from the pool is asked whether it still works; a server that takes longer for that is away."""


class DatabaseWrapper(base.DatabaseWrapper):
    """Django's own, minus two surprises."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Gives up at once while PostgreSQL is known to be away."""
        try:
            connection = self._take_connection(conn_params)
        except psycopg.OperationalError:
            # One out of the pool says nothing of new ones, so only failures are noted here.
            absence.failed()
            raise
        outage.answered()
        return connection

    def _take_connection(self, conn_params: dict[str, Any]) -> Any:
        began = outage.enter()
        try:
            with patience(CHECK_SECONDS):
                return super().get_new_connection(conn_params)
        except psycopg.OperationalError:
            outage.failed(began)
            raise

    def on_commit(self, func: Callable[[], Any], robust: bool = False) -> None:
        """Django's own, which forgives a failing hook that is `robust` only when it finds a name for its log line.

        A `functools.partial` has none: its failure would be raised, as a 500 for what is committed already.
        """
        if not hasattr(func, "__qualname__"):
            func.__qualname__ = repr(func)
        super().on_commit(func, robust)
