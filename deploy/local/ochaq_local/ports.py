"""Which process listens where. Ports are picked once, kept, and picked again only when a stranger took one."""

import random
import socket
from collections.abc import Iterable
from pathlib import Path

from . import kept
from .stop import Stop

HOST = "127.0.0.1"
RANGE = range(20000, 32000)  # below Linux's ephemeral range, so no outgoing connection can take one of ours
DEFAULT_GATEWAY = 8080


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As every server does: a socket of ours that lingers in TIME_WAIT does not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
            probe.listen(1)
        except OSError:
            return False
    return True


def pick(names: Iterable[str], path: Path, avoid: frozenset[int] = frozenset()) -> dict[str, int]:
    """A port for each name: the kept one where it is still free, else a fresh one. Only while none of ours runs."""
    before: dict[str, int] = kept.read_json(path) or {}
    chosen: dict[str, int] = {}
    for name in names:
        old = before.get(name)
        taken = avoid | set(chosen.values())
        chosen[name] = old if old is not None and old not in taken and is_free(old) else _fresh(taken)
    kept.write_json(path, chosen, kept.PUBLIC)
    return chosen


def _fresh(taken: frozenset[int]) -> int:
    for port in random.sample(RANGE, 200):
        if port not in taken and is_free(port):
            return port
    raise Stop(
        f"No free port was found on {HOST} between {RANGE.start} and {RANGE.stop - 1}: stop some servers and try again."
    )


def check_gateway(port: int) -> None:
    """Refuse a public port that nginx could not open, before anything is started."""
    if not 1024 <= port <= 65535:
        raise Stop(f"PORT={port} cannot be used: choose one between 1024 and 65535, as in `make up PORT=8090`.")
    if not is_free(port):
        free = suggest(port)
        raise Stop(f"Port {port} is in use by another program: choose a free one, as in `make up PORT={free}`.")


def suggest(port: int) -> int:
    """A free port near the wanted one, for the sentence that refuses it."""
    return next((other for other in range(port + 1, min(port + 1000, 65536)) if is_free(other)), DEFAULT_GATEWAY + 1)
