"""The bus door: events from RabbitMQ into live streams. Idempotent by event id, so it needs no inbox."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from itertools import chain

import structlog
from ochaq_shared import live
from ochaq_shared.bus.delivery import BatchProcessor, Delivery, Outcome
from ochaq_shared.events import CloudEvent
from redis import Redis
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import OutOfMemoryError, ReadOnlyError
from redis.exceptions import TimeoutError as RedisTimeoutError

from ochaq_realtime.projector import placed, revocations

log = structlog.get_logger(__name__)

# The broker gives up on a consumer that is silent for two heartbeats of a minute: before that, the consumer gets its
# turn to speak to it, and then hands us the same batch again.
PATIENCE_SECONDS = 45.0
PAUSE_SECONDS = 0.5

# What a Redis that is starting, failing over or full answers; any other error is the event's own fault.
AWAY = (RedisConnectionError, RedisTimeoutError, ReadOnlyError, OutOfMemoryError)


class RedisAway(Exception):
    """Redis did not come back in time: the batch stays unacknowledged in the consumer's hand, and is tried again."""


class Projection:
    """Waits for Redis before it touches a batch: an outage must not use up the tries of innocent events."""

    def __init__(self, redis: Redis, beat: Callable[[], None]) -> None:
        self._redis = redis
        self._beat = beat
        self._processor = BatchProcessor(self._project)

    def process(self, deliveries: Sequence[Delivery]) -> list[Outcome]:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            self._wait_for_redis(deadline)
            try:
                # Once more as a whole when Redis went away in the middle: what was appended is not appended twice.
                self._project([delivery.event for delivery in deliveries])
            except AWAY as error:
                self._pause(error, deadline)
            except Exception:  # a poison event among them: one by one, so that it parks only itself
                return self._processor.process(deliveries)
            else:
                return [Outcome.handled() for _ in deliveries]

    def _project(self, events: Sequence[CloudEvent]) -> None:
        live.append_many(self._redis, list(chain.from_iterable(placed(event) for event in events)))
        for revoked in revocations(events):
            live.revoke(self._redis, revoked.user_id, revoked.session)

    def _wait_for_redis(self, deadline: float) -> None:
        while True:
            self._beat()
            try:
                self._redis.ping()
                return
            except AWAY as error:
                self._pause(error, deadline)

    @staticmethod
    def _pause(error: Exception, deadline: float) -> None:
        if time.monotonic() > deadline:
            raise RedisAway(str(error)) from error
        log.warning("projection.waiting", error=type(error).__name__)
        time.sleep(PAUSE_SECONDS)
