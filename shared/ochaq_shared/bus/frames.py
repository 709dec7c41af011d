"""The bytes of a published message (AMQP 0-9-1, sections 2.3.5 and 4.2.6), made in one go.

py-amqp makes them piece by piece and calls the kernel for each message: most of what a relay cost. A test holds that
both make the same bytes.
"""

from __future__ import annotations

from struct import Struct
from typing import Any

from amqp.serialization import dumps

_FRAME = Struct(">BHI")
_HEADER = Struct(">HHQH")
_METHOD, _CONTENT_HEADER, _BODY, _END = 1, 2, 3, b"\xce"
_PUBLISH = b"\x00\x3c\x00\x28\x00\x00"
# Content type, content encoding, headers, delivery mode, correlation id, message id and type are given.
_GIVEN = 1 << 15 | 1 << 14 | 1 << 13 | 1 << 12 | 1 << 10 | 1 << 7 | 1 << 5
_JSON = b"\x10application/json\x05utf-8"
_PERSISTENT = b"\x02"
_NO_HEADERS = b"\x00\x00\x00\x00"
# What a frame is made of beside its payload.
_AROUND = 8


def published(
    *,
    channel: int,
    frame_max: int,
    exchange: str,
    routing_key: str,
    mandatory: bool,
    body: bytes,
    headers: dict[str, Any],
    correlation_id: str,
    message_id: str,
    type: str,
) -> bytes:
    """A persistent JSON message as `basic.publish`, its properties and its body; raises ValueError for a long name."""
    method = _PUBLISH + _short(exchange) + _short(routing_key) + (b"\x01" if mandatory else b"\x00")
    properties = _properties(headers, correlation_id, message_id, type)
    content = _HEADER.pack(60, 0, len(body), _GIVEN) + properties
    frames = [_frame(_METHOD, channel, method), _frame(_CONTENT_HEADER, channel, content)]
    size = frame_max - _AROUND
    frames += [_frame(_BODY, channel, body[start : start + size]) for start in range(0, len(body), size)]
    return b"".join(frames)


def _properties(headers: dict[str, Any], correlation_id: str, message_id: str, type: str) -> bytes:
    table = dumps("F", (headers,)) if headers else _NO_HEADERS
    return b"".join((_JSON, table, _PERSISTENT, _short(correlation_id), _short(message_id), _short(type)))


def _frame(kind: int, channel: int, payload: bytes) -> bytes:
    return _FRAME.pack(kind, channel, len(payload)) + payload + _END


def _short(text: str) -> bytes:
    encoded = text.encode()
    if len(encoded) > 255:
        raise ValueError(f"AMQP allows 255 bytes for {text[:40]!r}…")
    return bytes((len(encoded),)) + encoded
