"""Messages of the protocol (contract.md) and their bytes on the wire (RFC 6455).

An event's frame is built once per topic and written to every socket as it is: servers do not mask their frames, and no
compression is negotiated.
"""

from __future__ import annotations

from typing import Any

import orjson
from ochaq_shared.problems import Problem

PING = b"\x89\x00"

_TEXT = 0x81
_SHORT = 126
_MEDIUM = 0x10000


def text(payload: bytes) -> bytes:
    """One unfragmented, unmasked text frame."""
    size = len(payload)
    if size < _SHORT:
        return bytes((_TEXT, size)) + payload
    if size < _MEDIUM:
        return bytes((_TEXT, 126)) + size.to_bytes(2, "big") + payload
    return bytes((_TEXT, 127)) + size.to_bytes(8, "big") + payload


def message(kind: str, **members: Any) -> bytes:
    return text(orjson.dumps({"type": kind, **members}))


def event(topic: str, number: int | None, body: bytes) -> bytes:
    """`body` is the stored JSON object of name, time and data; topic and id are put before them."""
    head = orjson.dumps({"type": "event", "topic": topic, "id": number})
    return text(head[:-1] + b"," + body[1:])


def subscribed(topic: str, position: int, *, recovered: bool) -> bytes:
    return message("subscribed", topic=topic, position=position, recovered=recovered)


def problem(failure: Problem, request_id: str, **about: Any) -> bytes:
    """A problem as a message: `type` says what kind of message it is, so the problem's own URI is left out."""
    return message("problem", **{name: v for name, v in failure.body(request_id).items() if name != "type"}, **about)
