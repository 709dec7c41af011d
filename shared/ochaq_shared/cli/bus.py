"""`ochaq bus declare|status`: RabbitMQ's topology and what waits in it."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx
from amqp.exceptions import AMQPError

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.bus.publisher import Publisher, PublishingBlocked
from ochaq_shared.cli.environment import setting
from ochaq_shared.cli.output import show


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bus", help="exchanges and queues")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("declare", help="declare every exchange, queue and binding").set_defaults(run=_declare)
    status = actions.add_parser("status", help="messages and consumers of every queue; exit 1 when none are taken")
    status.add_argument("--management", metavar="URL", help="the broker's management API, which knows what is unacked")
    status.set_defaults(run=_status)


def _declare(options: argparse.Namespace) -> int:
    with _connection() as connection:
        topology.declare(connection.channel())
    show([{"queue": queue.name, "exchange": queue.exchange} for queue in topology.QUEUES], as_json=options.json)
    return 0


def _status(options: argparse.Namespace) -> int:
    with _connection() as connection:
        depths = topology.depths(connection)
    unacked = _unacked(options.management) if options.management else {}
    show([_row(name, found, unacked.get(name)) for name, found in depths.items()], as_json=options.json)
    return _alarm()


def _row(name: str, found: tuple[int, int] | None, unacked: int | None) -> dict[str, Any]:
    ready, consumers = found or (None, None)
    return {"queue": name, "ready": ready, "unacked": unacked, "consumers": consumers}


def _alarm() -> int:
    """Whether messages are taken at all is known only to those who publish, so publish one that goes nowhere."""
    publisher = Publisher(setting("OCHAQ_AMQP_URL"))
    try:
        publisher.probe()
    except PublishingBlocked as blocked:
        print(f"ochaq: {blocked}. Free memory or disk on its machine: it goes on by itself.", file=sys.stderr)
        return 1
    except BrokerUnavailable as error:
        print(f"ochaq: {error}", file=sys.stderr)
        return 1
    finally:
        publisher.close()
    return 0


def _unacked(management: str) -> dict[str, int]:
    address = urlsplit(setting("OCHAQ_AMQP_URL"))
    vhost = quote(unquote(address.path[1:]) or "/", safe="")
    who = (unquote(address.username or "guest"), unquote(address.password or "guest"))
    try:
        answer = httpx.get(f"{management.rstrip('/')}/api/queues/{vhost}", auth=who, timeout=5, trust_env=False)
        answer.raise_for_status()
        return {row["name"]: int(row.get("messages_unacknowledged", 0)) for row in answer.json()}
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        sys.exit(f"ochaq: the management API at {management} did not answer: {type(error).__name__}")


@contextmanager
def _connection() -> Iterator[Any]:
    try:
        connection = connect(setting("OCHAQ_AMQP_URL"))
        try:
            yield connection
        finally:
            close(connection)
    except BrokerUnavailable as error:
        sys.exit(f"ochaq: {error}")
    except (AMQPError, OSError) as error:
        sys.exit(f"ochaq: RabbitMQ did not answer: {type(error).__name__}: {error}")
