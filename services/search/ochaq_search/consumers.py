"""The door from the bus: parse, call one function."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime

import orjson
from ochaq_shared.events import CloudEvent
from ochaq_shared.events.base import UnknownEvent
from prometheus_client import Histogram

from ochaq_search.announcements import Announcements
from ochaq_search.changes import Changes
from ochaq_search.indexing import LiveIndex
from ochaq_search.rebuilds import Lease, run_job

COMMAND = "search.rebuild"
LAG_SECONDS = Histogram(
    "ochaq_search_lag_seconds",
    "From the making of an event to its commit in the index",
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
ClaimJob = Callable[[str], Lease | None]


class StudentEvents:
    """`q.search.students`: facts about students, in batches."""

    def __init__(self, live: LiveIndex) -> None:
        self._live = live

    def __call__(self, events: Sequence[CloudEvent]) -> None:
        self._live.apply(Changes.of(event.fact() for event in events))
        for event in events:
            LAG_SECONDS.observe(max(0.0, time.time() - datetime.fromisoformat(event.time).timestamp()))


class RebuildCommands:
    """`q.search.commands`: `{"job_id"}`, the only command there is.

    A command is acknowledged once its job is claimed: from then on the job's lease stands for it, and web sends the
    command again when the lease runs out (design: jobs.md).
    """

    def __init__(self, live: LiveIndex, announcements: Announcements, claim: ClaimJob) -> None:
        self._live = live
        self._announcements = announcements
        self._claim = claim

    def __call__(self, commands: Sequence[CloudEvent]) -> None:
        for command in commands:
            lease = self._claim(str(command.data["job_id"]))
            if lease is not None:
                args = (lease, self._live, self._announcements)
                threading.Thread(target=run_job, args=args, name=f"job-{lease.job_id}", daemon=True).start()


def parse_command(body: bytes) -> CloudEvent:
    """A plain command in the envelope that consumers expect; raises UnknownEvent."""
    try:
        job_id = orjson.loads(body)["job_id"]
    except (orjson.JSONDecodeError, KeyError, TypeError) as error:
        raise UnknownEvent(f"not a rebuild command: {error}") from error
    return CloudEvent(type=COMMAND, source="/web/jobs", subject=str(job_id), version=0, data={"job_id": job_id})
