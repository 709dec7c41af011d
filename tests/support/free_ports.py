"""Ports for the processes a test starts."""

from __future__ import annotations

import os
import random

from ochaq_local.ports import is_free

PROCESS = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
# Apart from what `make up` picks from and from what another process of this test run takes: a server under test may be
# down for a while, and expects its port to be free when it comes back.
SHARE = 3_000
_first = 12_000 + PROCESS % 2 * SHARE
_given: set[int] = set()


def free_port() -> int:
    """A port nobody listens on, never given twice by one test run.

    Not one of the kernel's choice: those are also taken by outgoing connections, so one that was free a moment ago may
    be somebody's by the time the process under test binds it.
    """
    while True:
        port = random.randrange(_first, _first + SHARE)
        if port not in _given and is_free(port):
            _given.add(port)
            return port
