"""Whether PostgreSQL takes a connection; if not, why and since when, in words for who has to mend it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import psycopg
from django.utils import timezone
from django.utils.translation import gettext_lazy

from ochaq_web.core.postgres.absence import absence
from ochaq_web.core.serving import check_database


class State(StrEnum):
    """What became of a try to connect."""

    OK = "ok"
    FULL = "full"
    CHANGING = "changing"
    STOPPED = "stopped"
    SILENT = "silent"
    AWAY = "away"


# A refused connection has no SQLSTATE in psycopg, only the server's words or the operating system's.
_SIGNS = (
    (State.FULL, re.compile(r"too many (clients|connections)|remaining connection slots")),
    (State.CHANGING, re.compile(r"starting up|shutting down|recovery|not (yet )?accepting connections")),
    (State.STOPPED, re.compile(r"[Cc]onnection refused|No such file or directory")),
    (State.SILENT, re.compile(r"timeout expired|did not answer|timed out")),
)
_OWN_WORDS = re.compile(r"FATAL:\s+(.+)")

_HEADLINES = {
    State.OK: gettext_lazy("PostgreSQL takes connections again."),
    State.FULL: gettext_lazy("PostgreSQL takes no connections: every one is taken."),
    State.CHANGING: gettext_lazy("PostgreSQL takes no connections: it is just starting or stopping."),
    State.STOPPED: gettext_lazy("PostgreSQL takes no connections: nothing listens at its address."),
    State.SILENT: gettext_lazy("PostgreSQL does not answer: it takes no connections, and does not refuse them."),
    State.AWAY: gettext_lazy("PostgreSQL takes no connections."),
}
_ADVICE = {
    State.OK: gettext_lazy("Everything is back with the next look."),
    State.FULL: gettext_lazy(
        "Look in pg_stat_activity who has them, end what hangs, and compare max_connections with the sum of all pools."
    ),
    State.CHANGING: gettext_lazy("Wait a moment: after a crash it recovers first. If that takes long, read its log."),
    State.STOPPED: gettext_lazy("Look whether it runs, and read the end of its log: why it stopped stands there."),
    State.SILENT: gettext_lazy("Look whether its machine hangs: a full or stuck disk, no memory, a stopped process."),
    State.AWAY: gettext_lazy("Read the end of its log: why it refuses stands there."),
}


@dataclass(frozen=True)
class Finding:
    """One look. `words`: what the server itself said, if it said anything."""

    state: State
    words: str = ""
    since: datetime | None = None

    @property
    def ok(self) -> bool:
        return self.state is State.OK

    @property
    def seconds(self) -> float:
        """How long it has lasted."""
        return (timezone.now() - self.since).total_seconds() if self.since else 0.0

    @property
    def headline(self) -> str:
        return str(_HEADLINES[self.state])

    @property
    def advice(self) -> str:
        return str(_ADVICE[self.state])


def look() -> Finding:
    """Connect once, as readiness does, without Django's connection."""
    since = absence.since
    try:
        check_database()
    except psycopg.Error as error:
        return _finding(str(error))
    return Finding(State.OK, since=since)


def _finding(text: str) -> Finding:
    state = next((state for state, sign in _SIGNS if sign.search(text)), State.AWAY)
    own = _OWN_WORDS.findall(text)
    return Finding(state, own[-1].strip() if own else "", absence.since or timezone.now())
