"""The main story through the gateway, whole; and again with any one process killed in the middle of it."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest
from campus import Campus
from live import Watcher
from ochaq_local.processes import NAMES
from ochaq_servers import Platform
from steps import STEPS, Story, manager_runs_the_heavy_job, manager_uploads_a_photo_and_its_copy

pytestmark = [pytest.mark.platform, pytest.mark.timeout(300)]

UPLOADING = {"files-serve", "files-relay", "files-consume"}
# Enough for the job to be still at work when its process dies.
ROWS_TO_BE_CAUGHT_AT = 40_000

# Those whose death no row of tests/faults causes; the others are told again by `make test-long`.
HERE = {"redis", "gateway", "web-consume", "realtime-consume", "files-serve", "files-consume", "search-index"}
KILLED = [name if name in HERE else pytest.param(name, marks=pytest.mark.long) for name in NAMES]


def tell(campus: Campus, *, rows: int, before: dict[object, object] | None = None) -> Story:
    """The whole story; `before` maps a step to what happens when it begins."""
    with Watcher(campus, "manager") as watcher:
        story = Story(campus, watcher, rows=rows)
        for _, step in STEPS:
            action = (before or {}).get(step)
            if callable(action):
                action()
            step(story)
    return story


def test_the_story_holds(campus: Campus) -> None:
    assert len(tell(campus, rows=10_000).students) == 10_000


@pytest.mark.slow
@pytest.mark.parametrize("name", KILLED)
def test_the_story_ends_the_same_when_a_process_is_killed_in_it(campus: Campus, platform: Platform, name: str) -> None:
    pid = int(platform.processes()[name]["pid"])

    def kill_soon() -> None:
        # A moment later the step is under way: the job has made its first rows, or the upload's bytes are coming.
        threading.Timer(0.3 if name not in UPLOADING else 0.02, os.kill, args=[pid, signal.SIGKILL]).start()

    step = manager_uploads_a_photo_and_its_copy if name in UPLOADING else manager_runs_the_heavy_job
    story = tell(campus, rows=ROWS_TO_BE_CAUGHT_AT, before={step: kill_soon})
    assert len(story.students) == ROWS_TO_BE_CAUGHT_AT
    platform.wait_ready(limit=60)
    assert platform.processes()[name]["pid"] != pid
    _settled(platform)


def _settled(platform: Platform) -> None:
    """Nothing is left on the way: every outbox is empty and every job has ended."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        left = [
            platform.sql("web", "SELECT count(*) FROM outbox WHERE published_at IS NULL"),
            platform.sql("files", "SELECT count(*) FROM outbox WHERE published_at IS NULL"),
            platform.sql("web", "SELECT count(*) FROM job WHERE status IN ('queued', 'running')"),
        ]
        if all(rows[0][0] == 0 for rows in left):
            return
        time.sleep(0.2)
    raise AssertionError(f"still on the way after 30 s: {left}")
