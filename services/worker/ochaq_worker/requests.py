"""What Celery's main process has in hand."""

from __future__ import annotations

from celery.worker import state
from celery.worker.request import Request


def running() -> list[Request]:
    """The jobs that pool processes have right now."""
    return list(state.active_requests)


def reserved(queue: str) -> int:
    """How many jobs of a queue this worker has taken on, whether they run yet or not."""
    return sum(request.delivery_info["routing_key"] == queue for request in list(state.reserved_requests))
