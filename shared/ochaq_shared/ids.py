"""Identifiers: UUIDv7 (RFC 9562), so that ids sort by the time they were made."""

from __future__ import annotations

import uuid_utils


def uuid7() -> str:
    """A new UUIDv7 in its canonical 36-character form."""
    return str(uuid_utils.uuid7())
