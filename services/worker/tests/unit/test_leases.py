"""Slips: what a process leaves that dies with a job in hand, and who takes it up."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest
from ochaq_shared.http import Unavailable, UpstreamProblem
from ochaq_worker.leases import Slip, Watch

HOLD = """
import pathlib, sys, time
from ochaq_worker.leases import Slip
with Slip(pathlib.Path(sys.argv[1]), "host:1").holding("job-1"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    yield process
    process.kill()
    process.wait()
    process.stdout.close()


def test_the_slip_of_a_living_process_is_let_alone_and_that_of_a_dead_one_is_taken_up_once(tmp_path, holder):
    told: list[tuple[str, str, bool]] = []
    watches = [Watch(tmp_path, lambda job, worker, *, lost: told.append((job, worker, lost))) for _ in range(2)]
    for watch in watches:
        watch.look()
    assert told == []
    holder.send_signal(signal.SIGKILL)
    holder.wait()
    for watch in watches:
        watch.look()
    assert told == [("job-1", "host:1", True)] and list(tmp_path.iterdir()) == []


def test_what_web_did_not_hear_is_told_again(tmp_path, holder):
    holder.kill()
    holder.wait()

    def deaf(job: str, worker: str, *, lost: bool) -> None:
        raise Unavailable("away")

    def over(job: str, worker: str, *, lost: bool) -> None:
        raise UpstreamProblem(409, {"code": "jobs.stale_fence"})

    Watch(tmp_path, deaf).look()
    assert len(list(tmp_path.iterdir())) == 1
    Watch(tmp_path, over).look()
    assert list(tmp_path.iterdir()) == []


def test_a_process_that_died_between_two_jobs_leaves_nothing_to_tell(tmp_path):
    slip = Slip(tmp_path, "host:2")
    with slip.holding("job-2"):
        assert (tmp_path / "host:2").read_text() == "job-2\n\n"
    assert (tmp_path / "host:2").read_text() == ""


def test_a_watch_that_leaves_takes_nothing_up(tmp_path, holder):
    told: list[str] = []
    watch = Watch(tmp_path, lambda job, worker, *, lost: told.append(job))
    watch.stop()
    holder.kill()
    holder.wait()
    watch.look()
    assert told == []
