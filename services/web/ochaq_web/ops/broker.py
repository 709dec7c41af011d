"""Looking at RabbitMQ every few seconds, so that the operators' page need not, and knows of alarms.

Only who publishes is told that the broker takes no messages; no request handler publishes, so `consume` does it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import structlog
from django.utils import timezone
from ochaq_shared.bus import dead_letters
from ochaq_shared.bus.connection import BrokerUnavailable
from ochaq_shared.bus.publisher import Publisher, PublishingBlocked

from ochaq_web.config.environment import environment
from ochaq_web.ops.models import BrokerLook

log = structlog.get_logger(__name__)

EVERY_SECONDS = 10.0


def broker_look() -> None:
    """Write down whether messages are taken, and what is dead. For the ticker: one thread, one process at a time."""
    values = {"at": timezone.now(), "publishing": _publishing(), **_dead()}
    BrokerLook.objects.update_or_create(id=1, defaults=values)


def _publishing() -> str:
    try:
        _publisher(environment().amqp_url).probe()
    except PublishingBlocked:
        return "blocked"
    except BrokerUnavailable as error:
        log.warning("ops.broker_away", error=str(error))
        return "away"
    return "ok"


def _dead() -> dict[str, Any]:
    """What is known of the dead letters; nothing when the broker is away, so that the last count stays."""
    try:
        dead, oldest = dead_letters.count(environment().amqp_url)
    except BrokerUnavailable as error:
        log.warning("ops.dead_letters_unseen", error=str(error))
        return {}
    return {"dead": dead, "oldest_dead_at": oldest}


@cache
def _publisher(amqp_url: str) -> Publisher:
    return Publisher(amqp_url)
