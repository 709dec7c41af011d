"""JSON as the contract writes it: times are RFC 3339 in UTC with milliseconds."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from rest_framework.renderers import JSONRenderer
from rest_framework.utils.encoders import JSONEncoder


def moment(value: datetime) -> str:
    """2026-11-21T10:00:00.000Z"""
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class Encoder(JSONEncoder):
    def default(self, obj: Any) -> Any:
        return moment(obj) if isinstance(obj, datetime) else super().default(obj)


class HouseJSON(JSONRenderer):
    """The renderer of every API view."""

    encoder_class = Encoder
