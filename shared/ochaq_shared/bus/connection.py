"""One way to open an AMQP connection: bounded in every direction, so that no broker state can hang a process."""

from __future__ import annotations

from typing import Any

from kombu import Connection

CONNECT_TIMEOUT = 4
SOCKET_TIMEOUT = 10


class BrokerUnavailable(Exception):
    """RabbitMQ cannot be reached, or a connection to it can no longer be trusted."""


def connect(amqp_url: str, *, heartbeat: int = 30) -> Any:
    """An `amqp.Connection`; kombu only parses the URL and sets up TLS. Raises `BrokerUnavailable`."""
    options = {"read_timeout": SOCKET_TIMEOUT, "write_timeout": SOCKET_TIMEOUT}
    parsed = Connection(amqp_url, connect_timeout=CONNECT_TIMEOUT, heartbeat=heartbeat, transport_options=options)
    try:
        return parsed.transport.establish_connection()
    except Exception as error:  # sockets, TLS, AMQP and authentication all fail in their own ways
        raise BrokerUnavailable(f"cannot connect to RabbitMQ: {type(error).__name__}") from error


def close(connection: Any) -> None:
    """Drop a connection without waiting for the other side: it may be the reason we leave."""
    try:
        connection.collect()
    except OSError:
        return
