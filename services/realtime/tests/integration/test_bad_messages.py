"""What a client may not send, and that saying so does not cost it the socket, unless it must."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.mark.parametrize(
    ("text", "status", "code"),
    [
        ("no json", 400, "request.malformed"),
        ("", 400, "request.malformed"),
        ("[" * 2000, 400, "request.malformed"),
        ("[]", 422, "request.invalid"),
        ("{}", 422, "request.invalid"),
        ('{"type": 5}', 422, "request.invalid"),
        ('{"type": "dance"}', 422, "request.invalid"),
        ('{"type": "subscribe"}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": ["user"]}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "user", "after": "5"}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "user", "after": -1}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "user", "after": 1.5}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "user", "after": true}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "user", "after": 99999999999999999999}', 422, "request.invalid"),
        ('{"type": "subscribe", "topic": "u:018f0000-0000-7000-8000-000000000001"}', 404, "live.unknown_topic"),
        ('{"type": "subscribe", "topic": "room:1"}', 503, "chat.unavailable"),
        ('{"type": "post", "topic": "room:1", "text": "hi", "ref": "r1"}', 503, "chat.unavailable"),
    ],
)
async def test_a_message_that_cannot_be_served_is_answered_with_a_problem(
    realtime: Any, text: str, status: int, code: str
) -> None:
    async with realtime.client(realtime.someone()) as client:
        await client.socket.send(text)
        answer = await client.kind("problem")
        assert (answer["status"], answer["code"]) == (status, code)
        assert answer["title"]
        assert answer["request_id"]
        await client.send(type="ping")
        assert (await client.next())["type"] == "pong"


async def test_a_problem_names_what_it_answers(realtime: Any) -> None:
    async with realtime.client(realtime.someone()) as client:
        await client.send(type="post", topic="room:1", text="hi", ref="r1")
        answer = await client.kind("problem")
        assert (answer["topic"], answer["ref"]) == ("room:1", "r1")


async def test_binary_frames_are_no_messages(realtime: Any) -> None:
    async with realtime.client(realtime.someone()) as client:
        await client.socket.send(b'{"type": "ping"}')
        assert (await client.kind("problem"))["code"] == "request.malformed"


async def test_twenty_messages_a_second_are_served_and_a_flood_is_closed_with_4429(realtime: Any) -> None:
    async with realtime.client(realtime.someone()) as client:
        for _ in range(20):
            await client.send(type="ping")
        for _ in range(20):
            await client.kind("pong")
        for _ in range(40):
            await client.send(type="ping")
        assert await client.close_code() == 4429


async def test_a_message_above_sixteen_kilobytes_is_closed_with_1009(realtime: Any) -> None:
    async with realtime.client(realtime.someone()) as client:
        await client.kind("welcome")
        await client.socket.send('{"type": "ping", "pad": "' + "x" * 15000 + '"}')
        await client.kind("pong")
        await client.socket.send('{"type": "ping", "pad": "' + "x" * 17000 + '"}')
        assert await client.close_code() == 1009


async def test_text_that_is_not_utf8_is_closed_with_1007(realtime: Any) -> None:
    async with realtime.client(realtime.someone()) as client:
        await client.kind("welcome")
        await client.socket.send(b'{"type": "\xff"}', text=True)
        assert await client.close_code() == 1007
