"""Forgetting what has had its time."""

from __future__ import annotations

from django.db import connection
from ochaq_shared import idempotency
from ochaq_shared.bus import inbox


def sweep() -> None:
    """Idempotency keys older than a day, handled events older than two weeks."""
    idempotency.sweep(connection)
    inbox.sweep(connection)
