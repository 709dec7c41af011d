"""What every object store does, whichever it is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from prometheus_client import Counter

PUTS = Counter("ochaq_files_object_puts_total", "Objects written to the store")

Buffer = bytes | memoryview


class ObjectMissing(Exception):
    """The store has no object under this key."""


class ObjectCorrupt(Exception):
    """The object is not as long as its row says."""


class StoreUnavailable(Exception):
    """The store cannot be asked or has no room; a later try may work."""


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes [start, stop) of an object of `size` bytes."""

    key: str
    start: int
    stop: int
    size: int

    @property
    def whole(self) -> bool:
        return self.start == 0 and self.stop == self.size


Piece = bytes | Span
"""A stretch of an answer: bytes made here, or bytes to be read from an object."""


@dataclass(frozen=True)
class Stored:
    """One object of a listing."""

    key: str
    modified: datetime


def object_key(sha256: str, gen: int) -> str:
    """A key is never used again once its deletion began: the generation moves on instead."""
    return f"b/{sha256[:2]}/{sha256}/{gen}"


class Objects(ABC):
    """An object store. Objects are written once, whole, and never changed."""

    batch_bytes: int
    """How much to ask for at once when reading."""
    batch_spans: int
    """How many spans one read may have."""

    async def put(self, key: str, content: bytes | Path, size: int) -> None:
        """Store `content` under `key`, durable and complete when this returns, or invisible when it raises."""
        PUTS.inc()
        await self._put(key, content)
        if await self.size(key) != size:
            raise ObjectCorrupt(key)

    @abstractmethod
    async def _put(self, key: str, content: bytes | Path) -> None: ...

    @abstractmethod
    async def read(self, spans: Sequence[Span]) -> list[Buffer]:
        """The bytes of each span, exactly as long as asked; raises `ObjectMissing` or `ObjectCorrupt`."""

    @abstractmethod
    async def size(self, key: str) -> int:
        """The length of an object; raises `ObjectMissing`."""

    @abstractmethod
    async def delete(self, key: str) -> None:
        """Remove an object; nothing happens when there is none."""

    @abstractmethod
    def list(self, prefix: str) -> AsyncIterator[Stored]:
        """Every object under a prefix, in no promised order."""

    @abstractmethod
    def check(self) -> None:
        """Raises `StoreUnavailable` when the store cannot be used now. Blocks, for health checks."""

    async def close(self) -> None:
        """Let go of connections."""
        return

    def internal_path(self, key: str) -> str | None:
        """The gateway's internal address of the object's file; None when the gateway cannot reach it."""
        return None

    def sweep(self) -> int:
        """Remove what dead processes left half done; returns how many leftovers there were."""
        return 0
