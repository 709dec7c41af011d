"""What the index process does beside consuming: it makes a missing index, and sends its announcements."""

from __future__ import annotations

from ochaq_search.announcements import Announcements
from ochaq_search.engines.base import EngineUnavailable
from ochaq_search.indexing import LiveIndex
from ochaq_search.rebuilds import run_unasked

LOOK_SECONDS = 1.0
MAX_WAIT_SECONDS = 10.0


def keep(live: LiveIndex, announcements: Announcements) -> None:
    """Run until the live index is stopped. Files that vanish are noticed within a second, without any event."""
    wait = LOOK_SECONDS
    while not live.stopping.is_set():
        if live.lost.is_set():
            wait = LOOK_SECONDS if run_unasked(live, announcements) else min(2 * wait, MAX_WAIT_SECONDS)
        announcements.flush()
        live.wake.wait(wait)
        live.wake.clear()
        _look(live)


def _look(live: LiveIndex) -> None:
    try:
        live.check()
    except EngineUnavailable:
        # Noted by the live index itself, as lost; the loop sees to it.
        return
