"""Our frames of a published message are those of py-amqp, byte for byte."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from amqp import Message as AmqpMessage
from amqp import spec
from amqp.method_framing import frame_writer
from amqp.serialization import dumps
from ochaq_shared.bus import frames
from ochaq_shared.bus.publisher import Message

FRAME_MAX = 131072
CASES = {
    "event": Message("m-1", "ochaq.events", "ochaq.a.b.v1", b'{"a": 1}', {}, "ochaq.a.b.v1"),
    "command": Message(
        "j", "ochaq.commands", "jobs.short", b"[]", {"id": "j", "root_id": None, "tries": 3, "x": ["é"]}
    ),
    "probe": Message("probe", "ochaq.probe", "", b""),
    "one frame": Message("m", "e", "k", b"x" * (FRAME_MAX - 8)),
    "two frames": Message("m", "e", "k", b"x" * (FRAME_MAX - 7)),
    "many frames": Message("m", "e", "k", b"x" * FRAME_MAX * 3),
}


def theirs(message: Message, *, mandatory: bool) -> bytes:
    out: list[bytes] = []
    connection: Any = SimpleNamespace(frame_max=FRAME_MAX, bytes_sent=0)
    transport: Any = SimpleNamespace(write=lambda data: out.append(bytes(data)))
    args = dumps("Bssbb", (0, message.exchange, message.routing_key, mandatory, False))
    content = AmqpMessage(
        message.body,
        content_type="application/json",
        content_encoding="utf-8",
        delivery_mode=2,
        message_id=message.id,
        correlation_id=message.headers.get("id", message.id),
        type=message.type,
        application_headers=message.headers,
    )
    frame_writer(connection, transport)(1, 7, spec.Basic.Publish, args, content)
    return b"".join(out)


def ours(message: Message, *, mandatory: bool) -> bytes:
    return frames.published(
        channel=7,
        frame_max=FRAME_MAX,
        exchange=message.exchange,
        routing_key=message.routing_key,
        mandatory=mandatory,
        body=message.body,
        headers=message.headers,
        correlation_id=message.headers.get("id", message.id),
        message_id=message.id,
        type=message.type,
    )


@pytest.mark.parametrize("mandatory", [True, False])
@pytest.mark.parametrize("name", CASES)
def test_the_bytes_are_the_same(name: str, mandatory: bool) -> None:
    assert ours(CASES[name], mandatory=mandatory) == theirs(CASES[name], mandatory=mandatory)


def test_a_name_that_amqp_has_no_room_for_is_refused() -> None:
    with pytest.raises(ValueError, match="255 bytes"):
        ours(Message("m", "e", "k" * 256, b""), mandatory=True)
