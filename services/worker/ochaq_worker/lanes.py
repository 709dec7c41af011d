"""Keeps long jobs from filling every slot: a short one always finds one.

The long queue is simply not consumed while the worker has as many long jobs as it may, so that they wait in the broker
where another worker can take them. It is consumed with a prefetch of one, and given up before the job in hand is
acknowledged: on one channel the broker sees both in that order, so no further message is ever held here.
"""

from __future__ import annotations

from typing import Any

import structlog
from celery import bootsteps
from kombu import Queue

from ochaq_worker.requests import reserved

log = structlog.get_logger(__name__)

LONG = "jobs.long"


def most_long(concurrency: int, queues: list[str]) -> int:
    """How many long jobs may run at once: all but one of the slots, or all where there are no short jobs."""
    return concurrency if len(queues) == 1 else max(1, concurrency - 1)


def long_lane(queue: Queue, limit: int) -> type[bootsteps.StartStopStep]:
    """A step of Celery's consumer that opens and closes the long queue."""

    class LongLane(bootsteps.StartStopStep):
        requires = ("celery.worker.consumer.tasks:Tasks",)

        def __init__(self, consumer: Any, **options: Any) -> None:
            super().__init__(consumer, **options)
            self._consumer = consumer
            self._open = False
            consumer.on_task_message.add(self._received)

        def start(self, consumer: Any) -> None:
            # Also after a lost connection: the pool may be full of long jobs that go on.
            consumer.task_consumer.cancel_by_queue(LONG)
            self._open = False
            consumer.hub.on_tick.add(self._tick)

        def stop(self, consumer: Any) -> None:
            consumer.hub.on_tick.discard(self._tick)

        def _received(self, request: Any) -> None:
            if self._open and request.delivery_info["routing_key"] == LONG and reserved(LONG) >= limit:
                self._consumer.task_consumer.cancel_by_queue(LONG)
                self._open = False

        def _tick(self) -> None:
            if not self._open and self._consumer.task_consumer is not None and reserved(LONG) < limit:
                self._open = True
                self._consume()

        def _consume(self) -> None:
            consumer = self._consumer.task_consumer
            consumer.qos(prefetch_count=1)  # of the consumers that start from now on
            consumer.add_queue(queue)
            consumer.consume()
            consumer.qos(prefetch_count=self._consumer.initial_prefetch_count)

    return LongLane
