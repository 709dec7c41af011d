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
    """Wait until all are ready at once; gives back the names of those that are not when the time is over.

    Every look asks all of them again: one that was ready a moment ago may have lost what it stands on since.
    """
    wanted = list(table)
    told: set[str] = set()
    deadline = time.monotonic() + seconds
    while True:
        ready = ready_ones(instance, wanted)
        for name in sorted(ready - told):
            told.add(name)
            if tell:
                tell(name)
        missing = {process.name for process in wanted} - ready
        if not missing or time.monotonic() > deadline:
            return missing
        time.sleep(0.2)
