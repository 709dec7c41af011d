"""Small files that outlive a command: written whole or not at all, and for their owner only where they are secret."""

import fcntl
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PRIVATE = 0o600
PUBLIC = 0o644


def write(path: Path, text: str, mode: int = PUBLIC, owner: tuple[int, int] | None = None) -> None:
    """Replace a file in one step, so that a full disk or a `kill -9` never leaves half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(handle, "w") as stream:
            os.fchmod(stream.fileno(), mode)
            if owner is not None:
                os.fchown(stream.fileno(), *owner)
            stream.write(text)
        fresh.replace(path)
    finally:
        fresh.unlink(missing_ok=True)


def write_json(path: Path, value: Any, mode: int = PRIVATE, owner: tuple[int, int] | None = None) -> None:
    write(path, json.dumps(value, indent=1) + "\n", mode, owner)


def read_json(path: Path) -> Any:
    """What was kept, or None where nothing was (a file that an old, torn write left counts as nothing)."""
    try:
        return json.loads(path.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return None


@contextmanager
def locked(path: Path, waiting: str = "") -> Iterator[None]:
    """Hold an advisory lock on a file: it ends with the process, so no stale lock can be left."""
    flags = os.O_RDONLY if path.exists() else os.O_RDONLY | os.O_CREAT
    handle = os.open(path, flags, PRIVATE)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if waiting:
                print(waiting, flush=True)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
