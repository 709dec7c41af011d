"""Whether a process does its work: each is asked the question its clients would ask."""

from __future__ import annotations

import http.client
import socket
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from .instance import Instance
from .ports import HOST
from .processes import Process
from .servers import postgres, rabbitmq, redis

SECONDS = 2.0


def is_ready(instance: Instance, process: Process) -> bool:
    if process.probe == "postgres":
        return postgres.answers(process.port)
    if process.probe == "redis":
        return redis.answers(process.port, instance.secrets["redis"])
    if process.probe == "amqp":
        return rabbitmq.answers(process.port)
    if process.probe == "tcp":
        return _tcp(process.port)
    return _http(process.port, process.probe_path)


def _http(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=SECONDS)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _tcp(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=SECONDS).close()
    except OSError:
        return False
    return True


def ready_ones(instance: Instance, table: Iterable[Process]) -> set[str]:
    """The names of those that are ready, all asked at once."""
    wanted = list(table)
    with ThreadPoolExecutor(max_workers=len(wanted) or 1) as pool:
        answers = pool.map(lambda process: is_ready(instance, process), wanted)
    return {process.name for process, answer in zip(wanted, answers, strict=True) if answer}


def wait(
    instance: Instance, table: Iterable[Process], seconds: float, tell: Callable[[str], None] | None = None
) -> set[str]:
    """Wait until all are ready; gives back the names of those that are not when the time is over."""
    waiting = {process.name: process for process in table}
    deadline = time.monotonic() + seconds
    while True:
        for name in ready_ones(instance, waiting.values()):
            del waiting[name]
            if tell:
                tell(name)
        if not waiting or time.monotonic() > deadline:
            return set(waiting)
        time.sleep(0.2)
