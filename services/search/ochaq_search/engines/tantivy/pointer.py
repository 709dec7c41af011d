"""Which index is live, and how far it has come: one small file that is always replaced whole.

Readers look at nothing else, so a swap after a rebuild and an ordinary commit are the same thing to them: a new file
under the same name.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import orjson

FILE = "live.json"


@dataclass(frozen=True)
class Pointer:
    """The live index's directory name, the stamp of its last commit, and the schema it was made with."""

    index: str
    stamp: int
    schema: int

    @property
    def generation(self) -> str:
        return f"{self.index}:{self.stamp}"


def read(root: Path) -> Pointer | None:
    """The pointer, or None where there is none (yet, or any more) or it cannot be understood."""
    try:
        found = orjson.loads((root / FILE).read_bytes())
        return Pointer(str(found["index"]), int(found["stamp"]), int(found["schema"]))
    except (FileNotFoundError, NotADirectoryError, orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        return None


def write(root: Path, pointer: Pointer, *, durable: bool) -> None:
    """Replace the pointer. `durable` waits for the disk: needed for a swap, not for a stamp, which a start rewrites."""
    draft = root / f".{FILE}.{os.getpid()}"
    with draft.open("wb") as file:
        file.write(orjson.dumps({"index": pointer.index, "stamp": pointer.stamp, "schema": pointer.schema}))
        if durable:
            file.flush()
            os.fsync(file.fileno())
    draft.replace(root / FILE)
    if durable:
        _sync_directory(root)


def identity(root: Path) -> tuple[int, int] | None:
    """Something cheap that differs after every `write`; None where there is no pointer."""
    try:
        stat = (root / FILE).stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return stat.st_ino, stat.st_mtime_ns


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
