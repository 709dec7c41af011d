"""One way to open an AMQP connection: bounded in every direction, so that no broker state can hang a process."""

from __future__ import annotations

from typing import Any

from kombu import Connection

CONNECT_TIMEOUT = 4.0
SOCKET_TIMEOUT = 10.0
# A broker with a memory or disk alarm stops reading. A write that stalls may be tried twice by the socket's owner, so
# half of what publishing may take.
WRITE_TIMEOUT = 4.0


READ_AHEAD = 8192


class BrokerUnavailable(Exception):
    """RabbitMQ cannot be reached, or a connection to it can no longer be trusted."""


def connect(
    amqp_url: str, *, heartbeat: int = 30, connect_timeout: float = CONNECT_TIMEOUT, timeout: float = SOCKET_TIMEOUT
) -> Any:
    """An `amqp.Connection`; kombu only parses the URL and sets up TLS. Raises `BrokerUnavailable`.

    `timeout` bounds each wait for the broker's answer, in seconds.
    """
    options = {"read_timeout": timeout, "write_timeout": min(timeout, WRITE_TIMEOUT)}
    parsed = Connection(amqp_url, connect_timeout=connect_timeout, heartbeat=heartbeat, transport_options=options)
    try:
        return parsed.transport.establish_connection()
    except Exception as error:  # sockets, TLS, AMQP and authentication all fail in their own ways
        raise BrokerUnavailable(f"cannot connect to RabbitMQ: {type(error).__name__}") from error


def read_ahead(connection: Any) -> None:
    """Let a consumer's connection take what has already come, up to 8 KB, with one call of the kernel.

    py-amqp asks for each frame in three pieces: nine calls a message, a sixth of what a consumer cost. It keeps what it
    was given beyond a piece for the next one, and so needs nothing but to be given more.
    """
    transport = connection.transport
    receive = transport._quick_recv
    transport._quick_recv = lambda size: receive(max(size, READ_AHEAD))


def close(connection: Any) -> None:
    """Drop a connection without waiting for the other side: it may be the reason we leave."""
    try:
        connection.collect()
    except OSError:
        return
