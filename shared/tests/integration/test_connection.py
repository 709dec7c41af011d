"""The consumer's way to read: few calls of the kernel for many messages."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import amqp
from ochaq_shared.bus.connection import READ_AHEAD, connect, read_ahead

MESSAGES = 200
BODY = b"x" * 900


def test_many_messages_are_taken_with_few_calls_and_none_is_lost_or_changed(servers: Any) -> None:
    url = servers.amqp_url()
    with closing(connect(url)) as writer, closing(connect(url)) as reader:
        channel = writer.channel()
        channel.queue_declare("read", exclusive=False, auto_delete=False)
        bodies = [f"{number} ".encode() + BODY for number in range(MESSAGES)]
        for body in bodies:
            channel.basic_publish(amqp.Message(body), routing_key="read")
        asked = counted(reader)
        read_ahead(reader)
        found: list[bytes] = []
        own = reader.channel()
        own.auto_decode = False
        own.basic_consume("read", no_ack=True, callback=lambda message: found.append(message.body))
        while len(found) < MESSAGES:
            reader.drain_events(timeout=5)
    assert found == bodies
    # Piece by piece it would be nine for each message.
    assert set(asked) == {READ_AHEAD} and len(asked) < MESSAGES


def counted(connection: Any) -> list[int]:
    """How much each call of the kernel asks for, from now on."""
    asked: list[int] = []
    receive = connection.transport._quick_recv

    def counting(size: int) -> bytes:
        asked.append(size)
        return bytes(receive(size))

    connection.transport._quick_recv = counting
    return asked
