"""Keeping the live index true, and replacing it by a rebuilt one while events go on coming."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import structlog

from ochaq_search.changes import Changes
from ochaq_search.engines.base import EngineUnavailable, StudentEngine, StudentRow, StudentWriter
from ochaq_search.sources import SourceUnavailable, StudentSource

log = structlog.get_logger(__name__)

# With at most this much left to catch up, the rest is written while events wait, and the indexes are swapped.
LAST_ROUND = 2_000
PROGRESS_EVERY = 5_000
RETRY_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Stopping(SystemExit):
    """The process is asked to end; what was in hand stays unacknowledged and will be delivered again.

    As a SystemExit it passes through the consumer, which would count any other failure against the event.
    """


@dataclass(frozen=True)
class Rebuilt:
    """What a rebuild made."""

    index: str
    documents: int
    seconds: float


class LiveIndex:
    """The writer of the live index. Events and rebuilds come from different threads; writes happen under one lock."""

    def __init__(self, engine: StudentEngine, source: StudentSource) -> None:
        self._engine = engine
        self._source = source
        self._lock = threading.RLock()
        self._rebuilding = threading.Lock()
        self._missed: Changes | None = None
        self._writer = engine.writer()
        self.stopping = threading.Event()
        self.lost = threading.Event()
        self.wake = threading.Event()
        if self._writer is None:
            self.lost.set()

    @property
    def documents(self) -> int:
        """Students in the live index; raises EngineUnavailable without one."""
        with self._lock:
            return self._live().documents

    def check(self) -> None:
        """Raises EngineUnavailable without a usable live index; notices when its files have gone."""
        if self._lock.acquire(timeout=0.2):
            try:
                if not self._engine.is_live(self._live()):
                    self._lose("its files have gone")
                    raise EngineUnavailable("the index has gone")
            finally:
                self._lock.release()

    def apply(self, changes: Changes) -> None:
        """Write and commit. Waits for the source as long as it takes: a missing answer is no reason to drop an event.

        Without a live index nothing is written: the rebuild that will make one asks the source after this moment, or
        catches up with what was noted here.
        """
        for pause in self._pauses():
            with self._lock:
                if self._missed is not None:
                    self._missed.merge(changes)
                if self._writer is None:
                    return
                try:
                    _commit(changes, self._writer, self._source)
                    return
                except EngineUnavailable as error:
                    self._lose(str(error))
                    return
                except SourceUnavailable as error:
                    self._writer.rollback()
                    log.warning("source.unavailable", error=str(error), retry_in=pause)
            self.stopping.wait(pause)

    def rebuild(self, progress: Callable[[int], None] = lambda done: None) -> Rebuilt:
        """Fill a new index from the source, catch up, swap. Whatever `progress` raises gives the new index up.

        Raises SourceUnavailable and EngineUnavailable; the live index, if there is one, is then as it was.
        """
        with self._rebuilding:
            began = time.monotonic()
            with self._lock:
                self._missed = Changes()
            building = self._engine.building()
            try:
                building.put(counted(self._source.students(), progress))
                building.commit()
                name = self._catch_up(building)
            except BaseException:
                self._engine.discard(building)
                raise
            finally:
                with self._lock:
                    self._missed = None
            rebuilt = Rebuilt(name, building.documents, round(time.monotonic() - began, 3))
            log.info("index.rebuilt", index=rebuilt.index, documents=rebuilt.documents, seconds=rebuilt.seconds)
            return rebuilt

    def stop(self) -> None:
        """Ask everything that waits in here to end."""
        self.stopping.set()
        self.wake.set()

    def close(self) -> None:
        with self._lock:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    def _catch_up(self, building: StudentWriter) -> str:
        """Write what events asked for meanwhile, in rounds that shrink; the last one holds events back."""
        while True:
            with self._lock:
                missed, self._missed = self._missed or Changes(), Changes()
                if missed.weight <= LAST_ROUND:
                    return self._finish(building, missed)
            missed.write(building, self._source)
            building.commit()

    def _finish(self, building: StudentWriter, missed: Changes) -> str:
        if missed:
            missed.write(building, self._source)
            building.commit()
        name = self._engine.publish(building)
        if self._writer is not None:
            self._writer.close()
        self._writer = building
        self.lost.clear()
        return name

    def _live(self) -> StudentWriter:
        if self._writer is None:
            raise EngineUnavailable("there is no index yet")
        return self._writer

    def _lose(self, reason: str) -> None:
        log.error("index.lost", reason=reason)
        self.close()
        self.lost.set()
        self.wake.set()

    def _pauses(self) -> Iterator[float]:
        yield from RETRY_SECONDS
        while not self.stopping.is_set():
            yield RETRY_SECONDS[-1]
        raise Stopping


def _commit(changes: Changes, writer: StudentWriter, source: StudentSource) -> None:
    began = time.monotonic()
    changes.write(writer, source)
    written = time.monotonic()
    writer.commit()
    log.info(
        "changes.committed",
        weight=changes.weight,
        ranges=len(changes.ranges),
        write_ms=round((written - began) * 1000, 1),
        commit_ms=round((time.monotonic() - written) * 1000, 1),
    )


def counted(rows: Iterable[StudentRow], progress: Callable[[int], None]) -> Iterator[StudentRow]:
    """The same rows; `progress` hears every few thousand how many have passed."""
    done = 0
    for done, row in enumerate(rows, 1):
        if done % PROGRESS_EVERY == 0:
            progress(done)
        yield row
    progress(done)
