"""What happens to a file after its upload: pending, processing, completed or failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import structlog
from ochaq_shared.events.files import FileCompleted, FileFailed
from sqlalchemy import Connection, Engine, func, select, update

from ochaq_files.documents import Document, document_announce, document_load
from ochaq_files.inspection import HEAD_BYTES, Unreadable, inspect
from ochaq_files.storage.objects import ObjectCorrupt, ObjectMissing
from ochaq_files.storage.tables import file

log = structlog.get_logger(__name__)

UNPROCESSED = ("pending", "processing")
ReadHead = Callable[[str, int, int], bytes]
"""The first bytes of an object: `(key, count, size)`; raises what the object store raises."""


def processing_begin(engine: Engine, file_id: str) -> None:
    """Show that a file is being looked at, at once and in a transaction of its own.

    A locked row is skipped: whoever holds it is processing or changing the file, and this is only for show.
    """
    with engine.begin() as connection:
        free = (
            select(file.c.id).where(file.c.id == file_id, file.c.status == "pending").with_for_update(skip_locked=True)
        )
        connection.execute(
            update(file).where(file.c.id.in_(free)).values(status="processing", status_at=func.clock_timestamp())
        )


def processing_finish(connection: Connection, file_id: str, read_head: ReadHead) -> Document | None:
    """Look into a file's content and settle its status, with the event, in the caller's transaction.

    Does nothing to a file that is gone or settled already, so that it may be called any number of times.
    """
    connection.execute(select(file.c.id).where(file.c.id == file_id).with_for_update())
    document = document_load(connection, file_id)
    if document is None or document.status not in UNPROCESSED:
        return None
    settled = _settled(document, read_head)
    _save(connection, settled)
    document_announce(connection, FileCompleted if settled.status == "completed" else FileFailed, settled)
    return settled


def unprocessed(connection: Connection, stalled_after: float, limit: int = 100) -> list[str]:
    """Files whose processing did not end in time, the oldest first: their event was lost on the way or is dead."""
    older = func.clock_timestamp() - func.make_interval(0, 0, 0, 0, 0, 0, stalled_after)
    query = select(file.c.id).where(file.c.status.in_(UNPROCESSED), file.c.status_at < older)
    return list(connection.execute(query.order_by(file.c.status_at).limit(limit)).scalars())


def _settled(document: Document, read_head: ReadHead) -> Document:
    after = replace(document, version=document.version + 1)
    try:
        head = read_head(document.key, min(document.size, HEAD_BYTES), document.size)
        found = inspect(head, document.size, document.name)
    except Unreadable as unreadable:
        return replace(after, status="failed", failure=str(unreadable))
    except (ObjectMissing, ObjectCorrupt) as error:
        log.error("object.damaged", key=document.key, error=type(error).__name__)
        return replace(after, status="failed", failure="The stored content is missing or damaged.")
    known = replace(after, kind=found.kind, media_type=found.media_type, metadata=found.metadata)
    return replace(known, status="completed", failure=None)


def _save(connection: Connection, document: Document) -> None:
    names = ("status", "failure", "kind", "media_type", "metadata", "version")
    values = {name: getattr(document, name) for name in names}
    connection.execute(update(file).where(file.c.id == document.id).values(**values, status_at=func.clock_timestamp()))
