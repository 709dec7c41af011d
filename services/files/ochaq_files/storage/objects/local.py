"""Objects as files of a local directory: written beside, synced, then renamed into place."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import shutil
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from ochaq_shared.ids import uuid7

from ochaq_files.storage.objects.base import (
    Buffer,
    ObjectCorrupt,
    ObjectMissing,
    Objects,
    Span,
    Stored,
    StoreUnavailable,
)
from ochaq_files.storage.scratch import Scratch

INTERNAL = "/internal-objects/"


class LocalObjects(Objects):
    """A directory as an object store."""

    batch_bytes = 512 * 1024
    batch_spans = 64

    def __init__(self, directory: Path, *, sendfile: bool = False) -> None:
        self._root = directory
        self._sendfile = sendfile
        self._scratch = Scratch(directory / "unfinished")

    async def _put(self, key: str, content: bytes | Path) -> None:
        try:
            await asyncio.to_thread(self._write, self._root / key, content)
        except OSError as error:
            if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS}:
                raise StoreUnavailable(os.strerror(error.errno)) from error
            raise

    def _write(self, target: Path, content: bytes | Path) -> None:
        path, descriptor = self._scratch.create()
        try:
            path = self._fill(path, descriptor, content)
            _rename_into(path, target)
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _fill(self, path: Path, descriptor: int, content: bytes | Path) -> Path:
        if isinstance(content, Path):
            linked = path.with_name(f"{uuid7()}.part")
            # The spooled file is synced already: a second name for it costs nothing where both lie on one disk.
            with contextlib.suppress(OSError):
                os.link(content, linked)
                path.unlink()
                return linked
            with content.open("rb") as source, os.fdopen(os.dup(descriptor), "wb") as sink:
                shutil.copyfileobj(source, sink, 1024 * 1024)
        else:
            with os.fdopen(os.dup(descriptor), "wb") as sink:
                sink.write(content)
        os.fsync(descriptor)
        return path

    async def read(self, spans: Sequence[Span]) -> list[Buffer]:
        return await asyncio.to_thread(self._read, spans) if spans else []

    def _read(self, spans: Sequence[Span]) -> list[Buffer]:
        return [self._read_one(span) for span in spans]

    def _read_one(self, span: Span) -> Buffer:
        length = span.stop - span.start
        with _opened(self._root / span.key) as descriptor:
            found = os.pread(descriptor, length, span.start)
        if len(found) != length:
            raise ObjectCorrupt(span.key)
        return found

    async def size(self, key: str) -> int:
        try:
            return (await asyncio.to_thread(os.stat, self._root / key)).st_size
        except FileNotFoundError:
            raise ObjectMissing(key) from None

    async def delete(self, key: str) -> None:
        await asyncio.to_thread(self._delete, self._root / key)

    def _delete(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        with contextlib.suppress(OSError):  # not empty, or gone already
            path.parent.rmdir()

    async def list(self, prefix: str) -> AsyncIterator[Stored]:
        walk = self._walk(self._root / prefix)
        while page := await asyncio.to_thread(_take, walk, 500):
            for stored in page:
                yield stored

    def _walk(self, directory: Path) -> Iterator[Stored]:
        for parent, _, names in os.walk(directory):
            for name in names:
                path = Path(parent) / name
                with contextlib.suppress(FileNotFoundError):
                    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
                    yield Stored(str(path.relative_to(self._root)), modified)

    def check(self) -> None:
        if not os.access(self._root, os.W_OK):
            raise StoreUnavailable("the object directory cannot be written")

    def internal_path(self, key: str) -> str | None:
        return INTERNAL + key if self._sendfile else None

    def sweep(self) -> int:
        return self._scratch.sweep()


def _rename_into(path: Path, target: Path) -> None:
    """Rename and make the name durable. A delete may remove the directory in between: then it is made again."""
    for _ in range(5):
        _make_durable_directory(target.parent)
        with contextlib.suppress(FileNotFoundError):
            path.rename(target)
            _sync_directory(target.parent)
            return
    raise StoreUnavailable("the object's directory keeps disappearing")


def _make_durable_directory(directory: Path) -> None:
    if directory.is_dir():
        return
    _make_durable_directory(directory.parent)
    directory.mkdir(exist_ok=True)
    _sync_directory(directory.parent)


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[int]:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        raise ObjectMissing(path.name) from None
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take(walk: Iterator[Stored], count: int) -> list[Stored]:
    return [stored for _, stored in zip(range(count), walk, strict=False)]
