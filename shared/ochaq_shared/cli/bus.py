"""`ochaq bus declare|status`: RabbitMQ's topology."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ochaq_shared.bus import topology
from ochaq_shared.bus.connection import BrokerUnavailable, close, connect
from ochaq_shared.cli.environment import setting
from ochaq_shared.cli.output import show


def register(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("bus", help="exchanges and queues")
    actions = parser.add_subparsers(dest="action", required=True)
    actions.add_parser("declare", help="declare every exchange, queue and binding").set_defaults(run=_declare)
    actions.add_parser("status", help="messages and consumers of every queue").set_defaults(run=_status)


def _declare(options: argparse.Namespace) -> int:
    connection = _connect()
    topology.declare(connection.channel())
    show([{"queue": queue.name, "exchange": queue.exchange} for queue in topology.QUEUES], as_json=options.json)
    close(connection)
    return 0


def _status(options: argparse.Namespace) -> int:
    connection = _connect()
    channel = connection.channel()
    names = [queue.name for queue in topology.QUEUES]
    names += [*topology.RETRY_SECONDS, topology.DEAD_QUEUE, topology.UNROUTED_QUEUE]
    found = [(name, topology.depth(channel, name)) for name in names]
    show([{"queue": name, "ready": ready, "consumers": n} for name, (ready, n) in found], as_json=options.json)
    close(connection)
    return 0


def _connect() -> Any:
    try:
        return connect(setting("OCHAQ_AMQP_URL"))
    except BrokerUnavailable as error:
        sys.exit(f"ochaq: {error}")
