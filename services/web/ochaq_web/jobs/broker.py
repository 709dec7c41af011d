"""How many commands wait in RabbitMQ: asked by the reaper, in the consume process, and by nobody else in web.

No request handler talks to RabbitMQ (architecture.md). The connection is opened for the question and closed after it.
"""

from __future__ import annotations

from collections.abc import Iterable

import structlog
from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.outbox import COMMANDS_EXCHANGE

from ochaq_web.config.environment import environment

log = structlog.get_logger(__name__)

CONNECT_SECONDS = 1.0
ANSWER_SECONDS = 2.0


def depths(routing_keys: Iterable[str]) -> dict[str, int]:
    """Commands ready in the queue of each routing key. A key is missing when the broker does not say."""
    found: dict[str, int] = {}
    try:
        link = connect(environment().amqp_url, connect_timeout=CONNECT_SECONDS, timeout=ANSWER_SECONDS)
    except BrokerUnavailable as error:
        log.warning("jobs_broker_away", error=str(error))
        return found
    try:
        for key in sorted(set(routing_keys) & set(_QUEUES)):
            found[key], _ = topology.depth(link.channel(), _QUEUES[key])
    except Exception as error:  # sockets, AMQP and its timeouts all fail in their own ways
        log.warning("jobs_broker_silent", error=type(error).__name__)
    finally:
        close(link)
    return found


_QUEUES = {
    binding: queue.name
    for queue in topology.QUEUES
    if queue.exchange == COMMANDS_EXCHANGE
    for binding in queue.bindings
}
