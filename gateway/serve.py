"""Starts nginx in the foreground, in the place of this process: `python gateway/serve.py --conf OUT/nginx.conf`.

A master killed with SIGKILL leaves its workers behind: they would hold the port and answer with the old configuration
for ever, and a unix socket's file would block the next bind. So whatever the last master left is ended first. The
workers are known by the process group of the pid that the last master wrote into its own pid file.
"""

from __future__ import annotations

import argparse
import os
import re
import signal
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

PATIENCE = 5.0


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    parser = argparse.ArgumentParser(description="Run nginx with a rendered configuration.")
    parser.add_argument("--conf", type=Path, required=True)
    parser.add_argument("--nginx", default="nginx")
    options = parser.parse_args(arguments)
    conf = options.conf.resolve()
    pid_file = Path(_directive(conf.read_text(), "pid"))
    clear_leftovers(pid_file)
    # A group of its own is what makes the workers recognisable after their master's death.
    if os.getpgrp() != os.getpid():
        os.setpgid(0, 0)
    os.execvp(options.nginx, [options.nginx, "-c", str(conf), "-p", str(pid_file.parent), "-g", "daemon off;"])  # noqa: S606


def clear_leftovers(pid_file: Path) -> None:
    """Ends the orphaned workers of a dead master and removes its socket; a living master is left alone."""
    master = _read_pid(pid_file)
    if master is not None and _is_nginx(master):
        return
    if master is not None and not _end(master, signal.SIGTERM):
        _end(master, signal.SIGKILL)
    (pid_file.parent / "fill.sock").unlink(missing_ok=True)


def _end(group: int, sig: signal.Signals) -> bool:
    for pid in _workers(group):
        try:
            os.kill(pid, sig)
        except ProcessLookupError:
            continue
    deadline = time.monotonic() + PATIENCE
    while _workers(group):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def _workers(group: int) -> list[int]:
    """nginx processes of a process group, zombies left out."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return [pid for pid in pids if _is_nginx(pid, group=group)]


def _is_nginx(pid: int, group: int | None = None) -> bool:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    name, _, rest = text.partition("(")[2].rpartition(")")
    state, _parent, pgrp = rest.split()[:3]
    return name == "nginx" and state != "Z" and (group is None or int(pgrp) == group)


def _read_pid(pid_file: Path) -> int | None:
    try:
        return int(pid_file.read_text())
    except (OSError, ValueError):
        return None


def _directive(conf: str, name: str) -> str:
    found = re.search(rf"^\s*{name}\s+(\S+);", conf, re.MULTILINE)
    if not found:
        raise SystemExit(f"the configuration has no {name} directive")
    return found[1]


if __name__ == "__main__":
    main()
