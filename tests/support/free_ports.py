"""Ports for the processes a test starts."""

from __future__ import annotations

import random

from ochaq_local.ports import RANGE, is_free

_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, never given twice by one test run.

    Not one of the kernel's choice: those are also taken by outgoing connections, so one that was free a moment ago may
    be somebody's by the time the process under test binds it.
    """
    while True:
        port = random.choice(RANGE)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
