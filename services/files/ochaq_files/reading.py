"""Sending pieces: bytes made here and stretches of objects, in order, read a little ahead, in flat memory."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Iterable, Iterator, Sequence
from typing import Protocol

from ochaq_files.storage.objects import Objects, Piece, Span

AHEAD = 2
"""How many batches are read ahead of the one being sent: at most `(AHEAD + 1) * batch_bytes` of memory."""

Batch = list[Piece]


class Body(Protocol):
    """Something of a known length whose every range is a list of pieces."""

    @property
    def size(self) -> int: ...

    def pieces(self, start: int, stop: int) -> Iterator[Piece]: ...


class ObjectBody:
    """One object as a body."""

    def __init__(self, key: str, size: int) -> None:
        self._key = key
        self.size = size

    def pieces(self, start: int, stop: int) -> Iterator[Piece]:
        if start < stop:
            yield Span(self._key, start, stop, self.size)


async def stream(objects: Objects, pieces: Iterable[Piece]) -> AsyncGenerator[bytes | memoryview, None]:
    """The bytes of the pieces. Raises in the middle when an object is missing or short: the receiver must notice."""
    running: deque[asyncio.Task[bytes | memoryview]] = deque()
    try:
        for batch in batches(pieces, objects.batch_bytes, objects.batch_spans):
            running.append(asyncio.create_task(_read(objects, batch)))
            if len(running) > AHEAD:
                yield await running.popleft()
        while running:
            yield await running.popleft()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def batches(pieces: Iterable[Piece], limit: int, spans: int) -> Iterator[Batch]:
    """Pieces in groups of up to `limit` bytes and `spans` spans; a longer piece is divided."""
    batch: Batch = []
    room, left = limit, spans
    for piece in _divided(pieces, limit):
        length = _length(piece)
        if batch and (length > room or (isinstance(piece, Span) and not left)):
            yield batch
            batch, room, left = [], limit, spans
        batch.append(piece)
        room -= length
        left -= isinstance(piece, Span)
    if batch:
        yield batch


def _divided(pieces: Iterable[Piece], limit: int) -> Iterator[Piece]:
    for piece in pieces:
        if _length(piece) <= limit or isinstance(piece, bytes):
            yield piece
            continue
        for start in range(piece.start, piece.stop, limit):
            yield Span(piece.key, start, min(start + limit, piece.stop), piece.size)


def _length(piece: Piece) -> int:
    return len(piece) if isinstance(piece, bytes) else piece.stop - piece.start


async def _read(objects: Objects, batch: Sequence[Piece]) -> bytes | memoryview:
    found = iter(await objects.read([piece for piece in batch if isinstance(piece, Span)]))
    parts = [piece if isinstance(piece, bytes) else next(found) for piece in batch]
    return parts[0] if len(parts) == 1 else b"".join(parts)
