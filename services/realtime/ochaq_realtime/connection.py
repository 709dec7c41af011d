"""The rules of one socket: what it may send, what it follows, when it must go. Knows no ASGI and no server."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import orjson
from ochaq_shared.identity import Identity
from ochaq_shared.problems import FieldError, Problem

from ochaq_realtime import frames
from ochaq_realtime.hub import Hub, Subscription
from ochaq_realtime.outbound import Outbound
from ochaq_realtime.problems import CHAT_UNAVAILABLE, TOO_MANY_TOPICS
from ochaq_realtime.topics import topic_for

SIGNED_OUT = 4401
FORBIDDEN = 4403
TOO_FAST = 4429
TOO_BIG = 1009
GOING_AWAY = 1012

MAX_TOPICS = 50
# A client that wants a replay asks right after connecting. Until then what an automatic subscription hears is held
# back, so that the replay can come first; one that never asks is told its position, and gets its events, late by this
# much, once.
PATIENCE_SECONDS = 1.0
LARGEST_ID = 2**63 - 1


class Connection:
    """One accepted socket of one signed-in person."""

    __slots__ = ("_allowance", "_hub", "_rate", "_refilled", "_topics", "identity", "outbound", "request_id")

    def __init__(self, hub: Hub, outbound: Outbound, identity: Identity, request_id: str, rate: int) -> None:
        self._hub = hub
        self.outbound = outbound
        self.identity = identity
        self.request_id = request_id
        self._topics: dict[str, Subscription] = {}
        self._rate = rate
        self._allowance = float(rate)
        self._refilled = time.monotonic()

    def open(self, topics: tuple[str, ...], heartbeat_seconds: int) -> None:
        """Follows `topics` by itself from now on and welcomes the client."""
        for name in topics:
            subscription = self._hub.join(self.outbound, topic_for(name, self.identity))
            self._topics[name] = subscription
            asyncio.get_running_loop().call_later(PATIENCE_SECONDS, self._stop_waiting, name, subscription)
        self.outbound.send(frames.message("welcome", heartbeat_s=heartbeat_seconds))

    def close(self) -> None:
        """The socket is gone."""
        for subscription in self._topics.values():
            self._hub.leave(subscription)
        self._topics.clear()

    async def receive(self, text: str | None) -> None:
        """One message of the client; `text` is None for a binary one. What is wrong with it becomes a problem."""
        if self.outbound.closed:
            return
        if not self._may_send():
            self.outbound.close(TOO_FAST)
            return
        message: dict[str, Any] = {}
        try:
            message = _parse(text)
            await self._act(message)
        except Problem as failure:
            about = {name: message[name] for name in ("topic", "ref") if isinstance(message.get(name), str)}
            self.outbound.send(frames.problem(failure, self.request_id, **about))

    async def _act(self, message: dict[str, Any]) -> None:
        match message["type"]:
            case "ping":
                self.outbound.send(frames.message("pong"))
            case "subscribe":
                await self._subscribe(_topic(message), _after(message))
            case "unsubscribe":
                self._unsubscribe(_topic(message))
            case "post":
                raise Problem(CHAT_UNAVAILABLE)
            case _:
                raise _invalid("type", "unknown", "Messages are subscribe, unsubscribe, post and ping.")

    async def _subscribe(self, name: str, after: int | None) -> None:
        topic = topic_for(name, self.identity)
        subscription = self._topics.get(name)
        fresh = subscription is None
        if subscription is None:
            if len(self._topics) >= MAX_TOPICS:
                raise Problem(TOO_MANY_TOPICS)
            subscription = self._hub.join(self.outbound, topic)
        # Taken out while it waits for Redis, so that the end of the patience does not let events out before the replay.
        self._topics.pop(name, None)
        try:
            await self._hub.subscribe(subscription, after)
        except Problem:
            if fresh:
                self._hub.leave(subscription)
                raise
            subscription.release()
            self._topics[name] = subscription
            raise
        self._topics[name] = subscription

    def _unsubscribe(self, name: str) -> None:
        subscription = self._topics.pop(name, None)
        if subscription is not None:
            self._hub.leave(subscription)

    def _stop_waiting(self, name: str, subscription: Subscription) -> None:
        if self._topics.get(name) is subscription and subscription.held:
            self._hub.begin(subscription)

    def _may_send(self) -> bool:
        """A bucket that holds one second's worth of messages and refills at the allowed rate."""
        now = time.monotonic()
        self._allowance = min(self._rate, self._allowance + (now - self._refilled) * self._rate)
        self._refilled = now
        if self._allowance < 1:
            return False
        self._allowance -= 1
        return True


def _parse(text: str | None) -> dict[str, Any]:
    try:
        message = orjson.loads(text or "")
    except orjson.JSONDecodeError as error:
        raise Problem("request.malformed", "Messages are JSON objects in text frames.") from error
    if not isinstance(message, dict) or not isinstance(message.get("type"), str):
        raise _invalid("type", "missing", "A message is an object with a type.")
    return message


def _topic(message: dict[str, Any]) -> str:
    topic = message.get("topic")
    if not isinstance(topic, str):
        raise _invalid("topic", "missing", "Name a topic.")
    return topic


def _after(message: dict[str, Any]) -> int | None:
    after = message.get("after")
    if after is None:
        return None
    if isinstance(after, bool) or not isinstance(after, int) or not 0 <= after <= LARGEST_ID:
        raise _invalid("after", "not_an_id", "after is the id of an event, or a position.")
    return after


def _invalid(pointer: str, code: str, detail: str) -> Problem:
    return Problem("request.invalid", detail, errors=(FieldError(f"/{pointer}", code, detail),))
