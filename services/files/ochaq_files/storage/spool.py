"""Where the bytes of an upload lie until it is known what they are: memory first, a synced file when they grow.

One pass over the bytes makes everything that is ever asked about them: SHA-256, CRC-32 and size. All methods block;
callers run them in a worker thread (hashing and writing release the interpreter lock).
"""

from __future__ import annotations

import errno
import hashlib
import os
import zlib
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from ochaq_shared.problems import Problem

from ochaq_files.problems import STORAGE_FULL
from ochaq_files.storage.scratch import Scratch

MEMORY_BYTES = 1024 * 1024


@dataclass(frozen=True)
class Fingerprint:
    """What tells one content from another, and what an archive needs to know of it."""

    sha256: str
    size: int
    crc32: int


class Spooled:
    """One growing content. Use as a context manager: its file goes away with it."""

    def __init__(self, scratch: Scratch) -> None:
        self._scratch = scratch
        self._sha256 = hashlib.sha256()
        self._crc32 = 0
        self._memory: bytearray | None = bytearray()
        self._path: Path | None = None
        self._descriptor = -1
        self.size = 0

    def write(self, data: bytes | memoryview) -> None:
        """Append bytes; raises `files.storage_full`."""
        self._sha256.update(data)
        self._crc32 = zlib.crc32(data, self._crc32)
        self.size += len(data)
        if self._memory is not None and self.size > MEMORY_BYTES:
            self._spill(self._memory)
            self._memory = None
        if self._memory is not None:
            self._memory += data
        else:
            self._append(data)

    def finish(self) -> Fingerprint:
        """Make a spooled file durable and say what was written."""
        if self._descriptor >= 0:
            os.fsync(self._descriptor)
        return Fingerprint(self._sha256.hexdigest(), self.size, self._crc32)

    @property
    def content(self) -> bytes | Path:
        """The whole content, as an object store takes it."""
        return bytes(self._memory or b"") if self._path is None else self._path

    def close(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _spill(self, memory: bytearray) -> None:
        self._path, self._descriptor = self._scratch.create()
        self._append(memory)

    def _append(self, data: bytes | bytearray | memoryview) -> None:
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT}:
                raise Problem(STORAGE_FULL, retry_after=60) from error
            raise
