"""Pytest plugin: `pytest -n 2` runs the suite in several processes, each with servers of its own.

What shares something expensive stays in one process: the tests of a file, and of the folders that share a platform.
Tests marked `alone` measure time or load the whole machine: while one runs, the other processes run none.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

CHECKOUT = Path(__file__).resolve().parents[2]
SHARED_PLATFORMS = {
    "tests/browser/": "the shared platform",
    "tests/platform/": "the shared platform",
    "tests/faults/": "the platform that is broken",
    "deploy/local/tests/platform/": "the platform that is started and stopped",
}


class ByPlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Files go to the processes in the order they were found, as one becomes free."""

    def _split_scope(self, nodeid: str) -> str:
        path = nodeid.partition("::")[0]
        return next((name for folder, name in SHARED_PLATFORMS.items() if path.startswith(folder)), path)


class Turns:
    """Many tests at once, or one alone, among processes: locks on two folders, which end with whoever holds them."""

    def __init__(self, gate: Path, hall: Path) -> None:
        self._gate = os.open(gate, os.O_RDONLY)
        self._hall = os.open(hall, os.O_RDONLY)

    @contextmanager
    def turn(self, *, alone: bool) -> Iterator[None]:
        # Who waits to be alone keeps the gate shut meanwhile: the others end what they run, and wait in front of it.
        fcntl.flock(self._gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(self._hall, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        finally:
            fcntl.flock(self._gate, fcntl.LOCK_UN)
        try:
            yield
        finally:
            fcntl.flock(self._hall, fcntl.LOCK_UN)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        with self.turn(alone=item.get_closest_marker("alone") is not None):
            return (yield)

    def pytest_unconfigure(self) -> None:
        os.close(self._gate)
        os.close(self._hall)


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        config.pluginmanager.register(Turns(CHECKOUT / "tests", CHECKOUT / "services"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform:
    config.option.loadscopereorder = False
    return ByPlatform(config, log)
