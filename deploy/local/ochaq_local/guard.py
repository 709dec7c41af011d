"""Starts one process of one instance, after ending what an earlier run of the same process left behind.

The supervisor starts every process through this file (`python3 -I guard.py SPEC LOG`, where SPEC is a JSON file). A
process that was killed with `kill -9` leaves children that still hold its port, its data directory or its queue: nginx'
workers, Erlang's port mapper, PostgreSQL's backends. They are found by what cannot be mistaken, ended by their ids, and
only then the process itself is started in this process' place, so that the supervisor watches it directly.

What the process says is appended to LOG by the process itself. A pipe to the supervisor, which is what supervised
processes are given, would fail every line, and with it whoever says it, from the moment a supervisor is killed.

It stands alone (no import of its package), and `up` copies it: what runs is not changed by a checkout that changes.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

INSTANCE = "OCHAQ_INSTANCE"
PROCESS = "OCHAQ_PROCESS"
PR_SET_PDEATHSIG = 1

Spec = dict[str, Any]


def leftovers(spec: Spec) -> list[int]:
    """Living processes that an earlier run of this process left.

    Most are known by the markers in their environment. PostgreSQL, nginx and Redis overwrite their environment with
    their title, so these are known by running the same program inside the same private directory.
    """
    wanted = [f"{INSTANCE}={spec['instance']}".encode(), f"{PROCESS}={spec['name']}".encode()]
    program = os.path.realpath(spec["command"][0])
    return [pid for pid in _pids() if _is_marked(pid, wanted) or _is_at_home(pid, program, spec["directory"])]


def of_instance(instance: str) -> list[int]:
    """Every living process that carries this instance's marker, its supervisor included."""
    return [pid for pid in _pids() if _is_marked(pid, [f"{INSTANCE}={instance}".encode()])]


def end(pids: Iterable[int], seconds: float = 10.0) -> list[int]:
    """Kill processes by their ids and wait until they are gone; gives back those that would not go."""
    living = list(pids)
    for pid in living:
        send(pid, signal.SIGKILL)
    return wait_gone(living, seconds)


def send(pid: int, signum: signal.Signals) -> None:
    try:
        os.kill(pid, signum)
    except ProcessLookupError:
        return  # It went by itself, which is all that was wanted.


def wait_gone(pids: Iterable[int], seconds: float) -> list[int]:
    deadline = time.monotonic() + seconds
    living = [pid for pid in pids if is_alive(pid)]
    while living and time.monotonic() < deadline:
        time.sleep(0.02)
        living = [pid for pid in living if is_alive(pid)]
    return living


def is_alive(pid: int) -> bool:
    """A zombie counts as gone: it holds no port and no file, and only its parent can bury it."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def _pids() -> list[int]:
    mine = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != mine]  # noqa: PTH208


def _is_marked(pid: int, wanted: list[bytes]) -> bool:
    try:
        environment = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False  # Gone meanwhile, or another user's, and then it is not ours.
    return all(marker in environment for marker in wanted) and is_alive(pid)


def _is_at_home(pid: int, program: str, directory: str) -> bool:
    try:
        running = str(Path(f"/proc/{pid}/exe").readlink()).removesuffix(" (deleted)")
        cwd = str(Path(f"/proc/{pid}/cwd").readlink())
    except OSError:
        return False
    return running == program and (cwd == directory or cwd.startswith(f"{directory}/"))


def _die_with_parent() -> None:
    """Test servers end with the test run, however it ends."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def append_to(log: str) -> None:
    """Standard output and error go to the end of this file; to nowhere where it cannot be opened (a full disk)."""
    try:
        handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    except OSError:
        handle = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(handle, stream)
    os.close(handle)


def _become(uid: int, gid: int) -> None:
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)


def start(spec: Spec) -> None:
    if spec.get("account"):
        _become(*spec["account"])
    stubborn = end(leftovers(spec))
    if stubborn:
        sys.exit(f"{spec['name']}: processes {stubborn} of an earlier run do not end; trying again")
    for stale in spec["stale"]:
        Path(stale).unlink(missing_ok=True)
    if spec.get("die_with_parent"):
        _die_with_parent()
    os.umask(0o022)
    os.chdir(spec["directory"])
    environment = {**spec["environment"], INSTANCE: spec["instance"], PROCESS: spec["name"]}
    os.execve(spec["command"][0], spec["command"], environment)  # noqa: S606 (no shell is the point)


if __name__ == "__main__":
    # First of all, so that whatever goes wrong next is read where people look, and as the user whose file it is.
    if sys.argv[2:]:
        append_to(sys.argv[2])
    start(json.loads(Path(sys.argv[1]).read_text()))
