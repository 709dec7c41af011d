"""What several apps' models share."""

from __future__ import annotations

from uuid import UUID

from ochaq_shared.ids import uuid7


def new_id() -> UUID:
    """A UUIDv7 for a model's primary key: rows sort by the time they were made."""
    return UUID(uuid7())
