"""A directory of unfinished files that survives the death of their writers.

Every writer holds a lock (flock) on its file. The kernel drops the lock with the process, so a sweep can tell what is
being written from what a killed process left behind, at once and without guessing by age.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from ochaq_shared.ids import uuid7


class Scratch:
    """One directory of unfinished files."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def create(self) -> tuple[Path, int]:
        """A new, locked, empty file: its path and its descriptor, which is the caller's to close."""
        while True:
            path = self.directory / f"{uuid7()}.part"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # A sweep may have seen the file between its making and its locking; then it is gone and made anew.
            if os.fstat(descriptor).st_nlink:
                return path, descriptor
            os.close(descriptor)

    def sweep(self) -> int:
        """Remove the files whose writers are dead; returns how many there were."""
        return sum(_remove_if_dead(path) for path in self.directory.glob("*.part"))


def _remove_if_dead(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        path.unlink(missing_ok=True)
        return True
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
