"""Who on this machine died with a job in hand: seen within a second, where the lease alone would take nine.

Every pool process keeps a slip, a small locked file in a directory that all workers of one platform on one machine
share. It names the job under way, and those that wait for it in the same hand. The kernel gives the lock back when the
process ends, however it ends; so whoever can lock a slip has found a dead process, and hands its leases back in its
name. Each worker looks at all slips once a second: the death of a pool process, of a main process or of a whole tree is
noticed by whichever worker is left, or by the next one to start. Where no directory can be had, leases run out by
themselves.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import structlog
from ochaq_shared.http import Unavailable, UpstreamProblem

log = structlog.get_logger(__name__)

LOOK_SECONDS = 1.0

MOST_BYTES = 8192


class Release(Protocol):
    """Hands back the lease that a worker, by its name, has of a job, by its id; `lost` if the job may be to blame."""

    def __call__(self, job_id: str, worker: str, *, lost: bool) -> None: ...


def slips_directory(chosen: Path | None, *names: str) -> Path:
    """The chosen directory, or one for the platform that these addresses name; ours alone, or a PermissionError."""
    mark = hashlib.blake2b("\n".join(names).encode(), digest_size=8).hexdigest()
    found = chosen or Path(tempfile.gettempdir()) / f"ochaq-leases-{os.getuid()}-{mark}"
    found.mkdir(mode=0o700, parents=True, exist_ok=True)
    if found.is_symlink() or found.stat().st_uid != os.getuid():
        raise PermissionError(f"{found} belongs to somebody else")
    return found


class Slip:
    """A pool process's own. Opened after the fork, and locked for as long as the process lives."""

    def __init__(self, directory: Path, worker: str) -> None:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # somebody may have swept it away meanwhile
        path = directory / worker
        while True:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            if path.exists() and os.path.samestat(path.stat(), os.fstat(self._file)):
                break
            os.close(self._file)  # somebody took it for a dead one's in the moment before the lock
        os.ftruncate(self._file, 0)

    @contextmanager
    def holding(self, job_id: str) -> Iterator[None]:
        """The job stands on the slip until the block is left."""
        self.name([job_id])
        try:
            yield
        finally:
            self.clear()

    def name(self, job_ids: Sequence[str]) -> None:
        """These stand on the slip from now on: first the one that runs, then those that wait."""
        # One write, up to an empty line: what a longer list left behind it is not read.
        os.pwrite(self._file, "".join(f"{job_id}\n" for job_id in [*job_ids, ""]).encode(), 0)

    def clear(self) -> None:
        """Nothing stands on the slip any more."""
        os.ftruncate(self._file, 0)


def read_slip(file: int) -> list[str]:
    """The ids on an open slip."""
    return os.pread(file, MOST_BYTES, 0).decode().partition("\n\n")[0].split()


class Watch:
    """Looks for slips without an owner; in the main process."""

    def __init__(self, directory: Path, release: Release) -> None:
        self._directory = directory
        self._release = release
        self._over = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._live, daemon=True, name="leases").start()

    def stop(self) -> None:
        """Look no more: who leaves takes its processes away by itself."""
        self._over.set()

    def withdraw(self, worker: str) -> int | None:
        """Take a slip out of everybody's sight: its process is about to be ended by somebody who hands back its leases.

        Answers the open file, for `read_slip` when the process is no more.
        """
        path = self._directory / worker
        try:
            slip = os.open(path, os.O_RDWR)
        except OSError:
            return None
        path.unlink(missing_ok=True)
        return slip

    def look(self) -> None:
        """One round over all slips."""
        try:
            slips = list(self._directory.iterdir())
        except OSError:
            return  # swept away: the next pool process makes it again
        for path in slips:
            try:
                self._examine(path)
            except OSError as error:  # gone meanwhile, or a disk in trouble: the next round looks again
                log.debug("slip_unread", slip=path.name, error=type(error).__name__)

    def _live(self) -> None:
        while not self._over.wait(LOOK_SECONDS):
            self.look()

    def _examine(self, path: Path) -> None:
        slip = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(slip, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not self._over.is_set() and self._settled(path.name, read_slip(slip)):
                path.unlink(missing_ok=True)
        except BlockingIOError:
            pass  # its process lives
        finally:
            os.close(slip)

    def _settled(self, worker: str, job_ids: Sequence[str]) -> bool:
        """Whether the slip says nothing more: False where web should be told later."""
        for place, job_id in enumerate(job_ids):
            log.warning("pool_process_lost", job=job_id, worker=worker, waiting=place > 0)
            try:
                self._release(job_id, worker, lost=place == 0)
            except UpstreamProblem as refused:
                log.info("lease_not_released", job=job_id, reason=str(refused))  # it is over, or somebody else's
            except Unavailable:
                return False
        return True
