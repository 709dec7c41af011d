"""Door: the bus. Files processes its own uploads, so that a burst of them never slows the API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager

from ochaq_shared.bus.inbox import Handler
from ochaq_shared.events import CloudEvent, Fact
from ochaq_shared.events.files import FileUploaded
from ochaq_shared.outbox import wake
from sqlalchemy import Connection, Engine, NestedTransaction

from ochaq_files.processing import ReadHead, processing_begin, processing_finish

CONSUMER = "files.processing"


class EngineWork:
    """The inbox's transactions on a SQLAlchemy engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self.connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with self._engine.begin() as connection:
            self.connection = connection
            try:
                yield connection
            finally:
                self.connection = None
        # What was emitted is committed: the relay need not wait for its poll.
        with self._engine.begin() as connection:
            wake(connection)

    def savepoint(self, connection: Connection) -> AbstractContextManager[NestedTransaction]:
        return connection.begin_nested()


def handlers(engine: Engine, work: EngineWork, read_head: ReadHead) -> Mapping[type[Fact], Handler]:
    """What files does about which fact."""

    def on_uploaded(_event: CloudEvent, fact: FileUploaded) -> None:
        processing_begin(engine, fact.id)
        if work.connection is None:
            raise RuntimeError("an event was handled outside of its inbox transaction")
        processing_finish(work.connection, fact.id, read_head)

    return {FileUploaded: on_uploaded}
