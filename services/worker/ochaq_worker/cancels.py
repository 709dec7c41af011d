"""Hears at once that a job was cancelled, where Redis works.

Web says it after its commit, to whoever listens; the truth is the row, and the heartbeat every three seconds reads it.
So a message only makes the keeper ask sooner, and losing one (or Redis) costs latency and nothing else.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

import structlog
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry

log = structlog.get_logger(__name__)

CHANNEL = "ochaq.jobs.cancel"
LOOK_SECONDS = 15.0
PAUSE_SECONDS = 0.5
PAUSE_MOST_SECONDS = 10.0


class CancelListener:
    """One per pool process: `nudge(job_id)` for each cancelled job, `nudge(None)` when some may have been missed."""

    def __init__(self, redis_url: str, nudge: Callable[[str | None], None]) -> None:
        self._redis = Redis.from_url(
            redis_url,
            socket_connect_timeout=2,
            socket_timeout=5,
            socket_keepalive=True,
            health_check_interval=int(LOOK_SECONDS),
            decode_responses=True,
            retry=Retry(NoBackoff(), 0),  # this loop is the retry
        )
        self._nudge = nudge
        self._pause = PAUSE_SECONDS

    def start(self) -> None:
        threading.Thread(target=self._live, daemon=True, name="cancels").start()

    def _live(self) -> None:
        while True:
            try:
                self._listen()
            except (RedisError, OSError) as error:
                log.warning("cancel_listener_lost", error=type(error).__name__, wait_seconds=self._pause)
            time.sleep(self._pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter
            self._pause = min(self._pause * 2, PAUSE_MOST_SECONDS)

    def _listen(self) -> None:
        with self._redis.pubsub() as channel:
            channel.subscribe(CHANNEL)
            while True:
                message = channel.get_message(timeout=LOOK_SECONDS)
                if message is None:
                    continue
                if message["type"] == "subscribe":
                    self._pause = PAUSE_SECONDS
                    self._nudge(None)  # what was said until now, nobody here heard
                elif message["type"] == "message":
                    self._nudge(str(message["data"]))
