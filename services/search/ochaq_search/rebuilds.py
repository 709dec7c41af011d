"""The job `search.rebuild`: claimed from web, kept alive by heartbeats, finished there (design: jobs.md).

Also the rebuild that needs no job: an index process that finds no index makes one by itself.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import structlog
from ochaq_shared.events.search import IndexRebuilt
from ochaq_shared.http import InternalClient, Unavailable, UpstreamProblem

from ochaq_search.announcements import Announcements
from ochaq_search.engines.base import EngineUnavailable
from ochaq_search.indexing import LiveIndex, Rebuilt
from ochaq_search.sources import SourceUnavailable

log = structlog.get_logger(__name__)

HEARTBEAT_SECONDS = 1.0
FINISH_TRIES = 20
RETRY_SECONDS = (1.0, 2.0, 5.0, 10.0)


class GivenUp(Exception):
    """The job was cancelled, or belongs to somebody else by now."""


@dataclass
class Lease:
    """One claimed job. Its fence number makes web refuse a holder whose lease ran out."""

    web: InternalClient
    job_id: str
    fence: int
    done: int = 0
    total: int = 0
    cancelled: bool = False
    lost: bool = False
    over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def claim(cls, web: InternalClient, job_id: str) -> Lease | None:
        """The job, if it is there to be had; a duplicate command finds it taken or over. Raises Unavailable."""
        try:
            answer = web.request("POST", f"/internal/v1/jobs/{job_id}/claim", json={"worker": worker()}).json()
        except UpstreamProblem as refused:
            log.info("job.not_claimed", job_id=job_id, status=refused.status, code=refused.code)
            return None
        return cls(web, job_id, int(answer["fence"]), cancelled=bool(answer.get("cancel")))

    def progress(self, done: int) -> None:
        """Note how far the rebuild is, for the next heartbeat; raises GivenUp when it should end."""
        self.done = done
        if self.cancelled or self.lost:
            raise GivenUp

    @contextmanager
    def kept(self) -> Iterator[None]:
        """Within the block a thread keeps the lease."""
        thread = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self.over.set()
            thread.join()

    def tell(self) -> None:
        """One heartbeat: how far we are, and whether to go on."""
        progress = {"done": self.done, "total": max(self.total, self.done)}
        try:
            answer = self._post("heartbeat", {"fence": self.fence, "progress": progress, "checkpoint": None}).json()
            self.cancelled = self.cancelled or bool(answer.get("cancel"))
        except UpstreamProblem:
            self.lost = True
        except Unavailable:
            log.warning("job.heartbeat_missed", job_id=self.job_id)

    def finish(self, status: str, *, result: dict[str, Any] | None = None, error: dict[str, str] | None = None) -> None:
        """Tell web how it ended, patiently; when web stays away, the lease runs out and the job is done again."""
        body = {"fence": self.fence, "status": status, "result": result, "error": error}
        for _ in range(FINISH_TRIES):
            try:
                self._post("finish", body)
                return
            except Unavailable:
                log.warning("job.finish_waits", job_id=self.job_id)
            except UpstreamProblem as refused:
                log.warning("job.finish_refused", job_id=self.job_id, code=refused.code)
                return

    def _beat(self) -> None:
        while not self.over.wait(HEARTBEAT_SECONDS):
            self.tell()

    def _post(self, word: str, body: dict[str, Any]) -> Any:
        return self.web.request("POST", f"/internal/v1/jobs/{self.job_id}/{word}", json=body, idempotent=True)


def run_job(lease: Lease, live: LiveIndex, announcements: Announcements) -> None:
    """Rebuild for a claimed job and report how it went."""
    lease.total = _documents(live)
    try:
        with lease.kept():
            rebuilt = _patiently(lease, live)
    except GivenUp:
        if lease.cancelled and not lease.lost:
            lease.finish("cancelled")
    except SourceUnavailable:
        lease.finish("failed", error=_error("The students could not be read."))
    except Exception:
        # Whatever broke, the people who wait for the job hear of it now and not when its lease has run out.
        log.exception("rebuild.failed", job_id=lease.job_id)
        lease.finish("failed", error=_error("The new index could not be made."))
    else:
        announcements.add(_fact(rebuilt, lease.job_id))
        lease.tell()
        lease.finish("succeeded", result=asdict(rebuilt))


def _patiently(lease: Lease, live: LiveIndex) -> Rebuilt:
    """A web that restarts in the middle of its stream costs time and not the job."""
    for pause in RETRY_SECONDS:
        try:
            return live.rebuild(lease.progress)
        except SourceUnavailable as error:
            log.warning("rebuild.retried", job_id=lease.job_id, error=str(error), retry_in=pause)
            live.stopping.wait(pause)
            lease.progress(0)
    return live.rebuild(lease.progress)


def _error(detail: str) -> dict[str, str]:
    return {"code": "search.rebuild_failed", "detail": detail}


def run_unasked(live: LiveIndex, announcements: Announcements) -> bool:
    """Make the missing index; False when that has to wait for web or the disk."""
    try:
        announcements.add(_fact(live.rebuild(), None))
    except (SourceUnavailable, EngineUnavailable) as error:
        log.warning("rebuild.waits", error=str(error))
        return False
    return True


def worker() -> str:
    """Who holds the lease, for the people who look at the job."""
    return f"{socket.gethostname()}:{os.getpid()}"


def _fact(rebuilt: Rebuilt, job_id: str | None) -> IndexRebuilt:
    return IndexRebuilt(index=rebuilt.index, documents=rebuilt.documents, seconds=rebuilt.seconds, job_id=job_id)


def _documents(live: LiveIndex) -> int:
    try:
        return live.documents
    except EngineUnavailable:
        return 0
