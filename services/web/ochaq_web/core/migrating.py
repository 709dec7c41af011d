"""Applying migrations beside a running site: patient with the server, impatient with locks."""

from __future__ import annotations

import time
from typing import Any

import psycopg
import structlog
from django.core.management import call_command
from django.db import OperationalError, connection
from ochaq_shared.outbox_partitions import maintain

from ochaq_web.config.environment import environment

log = structlog.get_logger(__name__)

LOCK = "hashtextextended('ochaq_web.migrate', 0)"
TRIES = 10


def migrate_when_ready(patience: float = 120) -> None:
    """Wait up to `patience` seconds for PostgreSQL, take the lock, migrate. Raises when it cannot."""
    with _connected(patience) as guard:
        guard.execute(f"SELECT pg_advisory_lock({LOCK})")
        _migrate()
        # Before the first row: a partition cannot be made for a day whose rows went to the default one already.
        maintain(guard)
        guard.execute(f"SELECT pg_advisory_unlock({LOCK})")


def _connected(patience: float) -> psycopg.Connection[Any]:
    until, wait = time.monotonic() + patience, 0.1
    while True:
        try:
            return psycopg.connect(environment().database_url, connect_timeout=3, autocommit=True)
        except psycopg.OperationalError as error:
            if time.monotonic() > until:
                raise
            log.warning("migrate.waiting", error=str(error).strip()[:200])
            time.sleep(wait)
            wait = min(wait * 2, 2)


def _migrate() -> None:
    for left in reversed(range(TRIES)):
        try:
            # A migration that waits for a busy table makes everybody else wait behind it; better to give up and retry.
            with connection.cursor() as cursor:
                cursor.execute("SET lock_timeout = '4s'")
            call_command("migrate", interactive=False, verbosity=1)
            return
        except OperationalError as error:
            if not left or "lock timeout" not in str(error):
                raise
            log.warning("migrate.retry", left=left)
            time.sleep(1)
