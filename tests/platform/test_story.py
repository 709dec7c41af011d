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
ROWS = 10_000
# Enough for most of the job to be left when a process dies over its first rows.
ROWS_TO_BE_CAUGHT_AT = 20_000
AT_WORK = b"SELECT 1 FROM job WHERE status = 'running' AND progress_done > 0 AND progress_done < progress_total"

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
    assert len(tell(campus, rows=ROWS).students) == ROWS


@pytest.mark.slow
@pytest.mark.alone
@pytest.mark.parametrize("name", KILLED)
def test_the_story_ends_the_same_when_a_process_is_killed_in_it(campus: Campus, platform: Platform, name: str) -> None:
    pid = int(platform.processes()[name]["pid"])

    def kill_soon() -> None:
        # A moment later the step is under way: the job has made its first rows, or the upload's bytes are coming.
        doing, args = (_kill_later, [pid]) if name in UPLOADING else (_kill_at_work, [platform, pid])
        threading.Thread(target=doing, args=args, daemon=True).start()

    step = manager_uploads_a_photo_and_its_copy if name in UPLOADING else manager_runs_the_heavy_job
    rows = ROWS if name in UPLOADING else ROWS_TO_BE_CAUGHT_AT
    story = tell(campus, rows=rows, before={step: kill_soon})
    assert len(story.students) == rows
    platform.wait_ready(limit=60)
    assert platform.processes()[name]["pid"] != pid
    _settled(platform)


def _kill_later(pid: int) -> None:
    time.sleep(0.02)
    os.kill(pid, signal.SIGKILL)


def _kill_at_work(platform: Platform, pid: int) -> None:
    """Kills when some of the job's rows are committed and others are not; a process it misses is found alive later."""
    deadline = time.monotonic() + 30
    with platform.connected("web") as web:
        while not web.execute(AT_WORK).fetchone():
            if time.monotonic() > deadline:
                return
            time.sleep(0.005)
    os.kill(pid, signal.SIGKILL)


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
