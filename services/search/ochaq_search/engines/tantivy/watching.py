"""Hearing of a new commit at once, without looking for it all the time: the kernel's inotify (man 7 inotify).

The standard library has no inotify, and the three calls needed are few enough to be made through ctypes.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

IN_MOVED_TO = 0x00000080
IN_DELETE_SELF = 0x00000400
IN_MOVE_SELF = 0x00000800
IN_IGNORED = 0x00008000
BACKSTOP_SECONDS = 1.0
POLL_SECONDS = 0.05


class DirectoryWatch:
    """Tells that a file was renamed into a directory. The directory may vanish and come back."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._handle: int = -1
        self._watching = False
        self._changed = asyncio.Event()

    async def changes(self) -> AsyncIterator[None]:
        """Yields at once, then whenever something may have changed: at a rename, and about every second anyway."""
        self._open()
        try:
            while True:
                # Looked at again after every wait: the directory may have been deleted, or made, meanwhile.
                self._ensure()
                yield
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._changed.wait(), BACKSTOP_SECONDS if self._watching else POLL_SECONDS)
                self._changed.clear()
        finally:
            self._close()

    def _open(self) -> None:
        self._handle = self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC)
        if self._handle < 0:
            log.warning("watch.unavailable", error=os.strerror(ctypes.get_errno()), polling_seconds=POLL_SECONDS)
            return
        asyncio.get_running_loop().add_reader(self._handle, self._read)

    def _ensure(self) -> None:
        if self._handle < 0 or self._watching:
            return
        mask = IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF
        self._watching = self._libc.inotify_add_watch(self._handle, os.fsencode(self._directory), mask) >= 0

    def _read(self) -> None:
        with suppress(BlockingIOError):
            events = os.read(self._handle, 65_536)
            # Each event is (int wd, uint32 mask, uint32 cookie, uint32 length, name).
            at = 0
            while at + 16 <= len(events):
                mask = int.from_bytes(events[at + 4 : at + 8], "little")
                if mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED):
                    self._watching = False
                at += 16 + int.from_bytes(events[at + 12 : at + 16], "little")
            self._changed.set()

    def _close(self) -> None:
        if self._handle >= 0:
            asyncio.get_running_loop().remove_reader(self._handle)
            os.close(self._handle)
            self._handle = -1
