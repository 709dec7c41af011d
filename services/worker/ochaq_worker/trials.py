"""Rules that behave badly on purpose. Only mode test has them: tests, drills and benchmarks need jobs that do nothing,
crash, hog or do not listen, on the same way that real ones take.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from celery.exceptions import SoftTimeLimitExceeded

from ochaq_worker.runs import Rule, Run, Transient, Waiting

CHILDREN_AT_ONCE = 500
MEBIBYTE = 1024 * 1024


def noop(run: Run) -> dict[str, Any]:
    """Nothing at all, fully tracked."""
    return {}


def steps(run: Run) -> dict[str, Any]:
    """`{steps, seconds}`: so many steps that share so many seconds, a checkpoint after each."""
    count, seconds = int(run.claim.params["steps"]), float(run.claim.params["seconds"])
    first = int((run.claim.checkpoint or {"step": 0})["step"])
    for step in range(first, count):
        run.pause(seconds / count)
        run.advance(step + 1, count, {"step": step + 1})
    return {"steps": count, "from": first, "attempt": run.claim.attempt}


def nap(run: Run) -> dict[str, Any]:
    """`{seconds}`: a short job that is not quick."""
    run.pause(float(run.claim.params["seconds"]))
    return {}


def transient(run: Run) -> dict[str, Any]:
    """`{times, after_seconds?}`: fails so many times in a way that passes."""
    if run.claim.attempt <= int(run.claim.params["times"]):
        raise Transient("test.transient", "Not yet.", run.claim.params.get("after_seconds"))
    return {"attempt": run.claim.attempt}


def stubborn(run: Run) -> dict[str, Any]:
    """`{seconds}`: never asks whether it shall stop, and does not let a time limit interrupt it."""
    until = time.monotonic() + float(run.claim.params["seconds"])
    while (left := until - time.monotonic()) > 0:
        with suppress(SoftTimeLimitExceeded):
            time.sleep(left)
    return {"stopped": False}


def crash(run: Run) -> dict[str, Any]:
    """Takes its process away in the middle."""
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


def hog(run: Run) -> dict[str, Any]:
    """`{megabytes}`: wants so much memory, and writes to all of it."""
    wanted = int(run.claim.params["megabytes"])
    held = [bytearray(os.urandom(1024)) * 1024 for _ in range(wanted)]
    return {"megabytes": sum(map(len, held)) // MEBIBYTE}


def fan(run: Run) -> dict[str, Any]:
    """`{children, seconds}`: makes so many children, waits for all of them, and counts how they ended."""
    count, seconds = int(run.claim.params["children"]), float(run.claim.params["seconds"])
    if run.claim.checkpoint is None:
        child = {"kind": "test.steps", "params": {"steps": 1, "seconds": seconds}}
        if not seconds:
            child = {"kind": "test.noop", "params": {}}
        for first in range(0, count, CHILDREN_AT_ONCE):
            numbers = range(first, min(first + CHILDREN_AT_ONCE, count))
            run.spawn([{**child, "dedupe_key": f"{run.claim.id}:{number}"} for number in numbers])
        raise Waiting({"children": count})
    ended = [child["status"] for child in run.claim.children]
    return {"children": len(ended), "succeeded": ended.count("succeeded")}


TRIALS: Mapping[str, Rule] = {
    "test.noop": noop,
    "test.steps": steps,
    "test.nap": nap,
    "test.transient": transient,
    "test.stubborn": stubborn,
    "test.crash": crash,
    "test.hog": hog,
    "test.fan": fan,
}
