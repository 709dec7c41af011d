"""Private folders of a test run directly under /tmp (sockets need short paths), and the end of forgotten ones."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from ochaq_local import guard

OWNER = "owner.pid"


def fresh_directory(prefix: str) -> Path:
    """A new folder that the servers' user may enter. Folders of test runs that were killed are cleared away first."""
    for forgotten in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        _clear_forgotten(forgotten)
    home = Path(tempfile.mkdtemp(prefix=prefix))
    (home / OWNER).write_text(str(os.getpid()))
    home.chmod(0o711)
    return home


def _clear_forgotten(home: Path) -> None:
    owner = home / OWNER
    if not owner.exists() or home.stat().st_uid != os.geteuid():
        return
    text = owner.read_text()
    # Nothing yet: its owner is about to write it.
    if not text.isdigit() or guard.is_alive(int(text)):
        return
    guard.end(guard.of_instance(home.name.rpartition("-")[2]))
    remove_directory(home)


def remove_directory(home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
