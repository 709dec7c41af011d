"""The keeper, in processes of its own where it ends them."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time

PRELUDE = """
import os, re, sys, time
from ochaq_worker.keeper import Keeper
from ochaq_worker.runs import Run
from ochaq_worker.web import Claim

class Web:
    # What web would hear; the real one is asked in the integration tests.
    cancel, beats = False, 0
    def heartbeat(self, claim, progress, checkpoint):
        Web.beats += 1
        return Web.cancel
    def finish(self, claim, outcome, *, patience):
        print(outcome.status, flush=True)
        return outcome.status

def run_of(lease=9.0, grace=0.3, deadline=None):
    return Run(Web(), Claim("j", "k", {}, 1, 1, None, lease, False, deadline, grace))

keeper = Keeper()
keeper.start()
"""


def ended(script: str) -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-c", PRELUDE + textwrap.dedent(script)]
    return subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)


def test_a_run_that_ends_at_once_costs_no_heartbeat():
    done = ended("""
        for _ in range(50):
            with keeper.watching(run_of()):
                pass
        time.sleep(0.6)
        print(Web.beats)
    """)
    assert done.stdout == "0\n", done


def test_progress_is_told_within_half_a_second_and_the_keeper_sleeps_afterwards():
    done = ended("""
        run = run_of()
        with keeper.watching(run):
            run.advance(1, 2, {"at": 1})
            time.sleep(0.6)
        told = Web.beats
        time.sleep(0.6)
        print(told, Web.beats)
    """)
    assert done.stdout == "1 1\n", done


def test_a_nudge_asks_at_once():
    done = ended("""
        run = run_of()
        Web.cancel = True
        with keeper.watching(run):
            keeper.nudge("another")
            time.sleep(0.05)
            assert run.told is None
            keeper.nudge("j")
            time.sleep(0.2)
            print(type(run.told).__name__)
    """)
    assert done.stdout == "Cancelled\n", done


def test_a_run_that_does_not_stop_is_ended_with_its_process():
    done = ended("""
        run = run_of(deadline=0.3)
        with keeper.watching(run):
            time.sleep(20)
    """)
    assert done.stdout.splitlines()[-1] == "failed" and done.returncode == -signal.SIGKILL, done


def test_a_run_that_ends_in_its_grace_keeps_its_process():
    done = ended("""
        run = run_of(deadline=0.3, grace=5)
        with keeper.watching(run):
            time.sleep(0.8)
        print("alive", type(run.told).__name__)
    """)
    assert (done.stdout, done.returncode) == ("alive TimeLimit\n", 0), done


def test_c_code_that_keeps_the_interpreter_for_longer_than_a_lease_is_ended_below_python():
    began = time.monotonic()
    done = ended("""
        run = run_of(lease=1.0, grace=0.5)
        with keeper.watching(run):
            time.sleep(0.5)  # the keeper has armed the timer
            re.match("(a+)+$", "a" * 60 + "b")
    """)
    assert done.returncode == 1 and time.monotonic() - began < 15, done
