"""Keeps an instance's logs small: a program of its own beside the processes that write them.

Every process appends to its log itself: a pipe to somebody who keeps its lines would make that somebody part of every
request, as a reader that is gone fails whoever writes and a slow one blocks. Servers cannot be asked to open another
file, so a big log is copied aside and emptied, which those who append to it never notice. What is written between the
last look at its end and the emptying, some microseconds every 10 MB, is lost.

It stands alone (no import of its package), like the guard that starts it.
"""

from __future__ import annotations

import os
import shutil
import stat
import sys
import time
from contextlib import suppress
from io import FileIO
from pathlib import Path
from typing import BinaryIO

LIMIT = 10 * 2**20
BACKUPS = 3
SECONDS = 5.0


def tidy(folder: Path, limit: int = LIMIT) -> None:
    """Put aside every log of this folder that is too big. What cannot be done now is tried again at the next look."""
    for log in sorted(folder.glob("*.log")):
        try:
            with _opened(log) as stream:
                if os.fstat(stream.fileno()).st_size > limit:
                    _put_aside(log, stream)
        except FileNotFoundError:
            continue  # nginx has not made what a link of ours leads to, or somebody tidied up by hand
        except OSError as error:
            _say(f"{log.name} stays as it is: {error}")


def _opened(log: Path) -> FileIO:
    """The log, through our own link but through no other: the gateway's lie where nginx' user may put what it likes."""
    target = log.readlink() if log.is_symlink() else log
    # And without waiting: it could be a named pipe.
    stream = FileIO(os.open(target, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK), "r+")
    if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
        stream.close()
        raise OSError(f"{target} is no file")
    return stream


def _put_aside(log: Path, stream: FileIO) -> None:
    fresh = log.with_name(f".{log.name}.fresh")
    try:
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
            _copy(stream, copy)
            _make_room(log)
            fresh.rename(_backup(log, 1))
            # What was written meanwhile; after this nothing is left to be done but to empty it.
            _copy(stream, copy)
            stream.truncate(0)
    finally:
        fresh.unlink(missing_ok=True)


def _copy(stream: FileIO, copy: BinaryIO) -> None:
    """From where it stands to its end, and onto the disk's side: what is emptied must not wait in a buffer of ours."""
    shutil.copyfileobj(stream, copy, 2**20)
    copy.flush()


def _make_room(log: Path) -> None:
    for number in range(BACKUPS - 1, 0, -1):
        with suppress(FileNotFoundError):
            _backup(log, number).rename(_backup(log, number + 1))


def _backup(log: Path, number: int) -> Path:
    return log.with_name(f"{log.name}.{number}")


def _say(text: str) -> None:
    """Into its own log, unless that is what is full."""
    with suppress(OSError):
        print(text, flush=True)


def main(folder: Path) -> None:
    """Until it is ended, which harms nothing at any moment."""
    while True:
        tidy(folder)
        time.sleep(SECONDS)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
