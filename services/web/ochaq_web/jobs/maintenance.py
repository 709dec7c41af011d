"""Forgetting what nobody will ask for again. Every round may be run twice, or by two processes at once."""

from __future__ import annotations

from collections.abc import Callable

from django.db import connection, transaction
from ochaq_shared import idempotency

INBOX_DAYS = 14

Forget = Callable[[], int]

_more: dict[str, Forget] = {}


def register_sweep(name: str, forget: Forget) -> None:
    """Let an app forget in the same round; its function says how many rows went. Call it in `AppConfig.ready`."""
    if _more.setdefault(name, forget) is not forget:
        raise ValueError(f"sweep {name} is registered twice")


def sweep() -> dict[str, int]:
    """One round; answers how many rows of each kind are gone."""
    return {name: _run(forget) for name, forget in {"inbox": _inbox, "idempotency": _idempotency, **_more}.items()}


def _run(forget: Forget) -> int:
    with transaction.atomic():
        return forget()


def _inbox() -> int:
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE FROM inbox WHERE received_at < now() - interval '{INBOX_DAYS} days'")  # noqa: S608 - a constant
        return int(cursor.rowcount)


def _idempotency() -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM idempotency")
        before = int(cursor.fetchone()[0])
        idempotency.sweep(connection)
        cursor.execute("SELECT count(*) FROM idempotency")
        return before - int(cursor.fetchone()[0])
