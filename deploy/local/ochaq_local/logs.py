"""`logs`: what the processes said, the newest at the end."""

from __future__ import annotations

import os

from .instance import Instance
from .stop import Stop

LINES = 50


def logs(instance: Instance, name: str | None, *, follow: bool) -> None:
    files = sorted(path for path in instance.logs.glob("*.log") if path.exists())
    chosen = [path for path in files if name in (None, path.stem)]
    if not chosen:
        known = ", ".join(path.stem for path in files) or "none yet"
        raise Stop(f"There is no log of {name or 'anything'} in {instance.logs}: {known}.")
    lines = LINES * 10 if name else LINES // 5
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *map(str, chosen)]
    os.execvp(command[0], command)  # noqa: S606 (the words are ours)
