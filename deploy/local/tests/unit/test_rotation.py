"""The log keeper with real writers: logs stay small, nothing is torn, and nobody who writes notices."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ochaq_local import rotation

KILOBYTE = b"x" * 1023 + b"\n"
# Appends numbered lines, as a process does that its guard has given a log, until it is ended.
WRITER = """
import itertools, os
for number in itertools.count():
    os.write(1, b"%010d %s\\n" % (number, b"x" * 500))
"""


def backups(log: Path) -> list[Path]:
    """The newest first."""
    return sorted(log.parent.glob(f"{log.name}.*"))


def test_a_big_log_is_put_aside_and_a_small_one_is_left_alone(tmp_path: Path) -> None:
    big, small = tmp_path / "big.log", tmp_path / "small.log"
    big.write_bytes(KILOBYTE * 20)
    small.write_bytes(KILOBYTE)
    rotation.tidy(tmp_path, limit=10_000)
    assert (big.read_bytes(), (tmp_path / "big.log.1").read_bytes()) == (b"", KILOBYTE * 20)
    assert small.read_bytes() == KILOBYTE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["big.log", "big.log.1", "small.log"]


def test_the_last_three_are_kept_for_their_owner_alone(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    for number in range(5):
        log.write_bytes(b"%d" % number * 100)
        rotation.tidy(tmp_path, limit=50)
    assert [path.read_bytes()[:1] for path in backups(log)] == [b"4", b"3", b"2"]
    assert {path.stat().st_mode & 0o777 for path in backups(log)} == {0o600}


@contextmanager
def writing(log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("ab") as file:
        writer = subprocess.Popen([sys.executable, "-c", WRITER], stdout=file)
    try:
        yield writer
    finally:
        writer.kill()
        writer.wait()


def test_who_writes_meanwhile_goes_on_and_no_line_is_torn_or_told_twice(tmp_path: Path) -> None:
    log = tmp_path / "busy.log"
    deadline = time.monotonic() + 20
    with writing(log) as writer:
        while len(backups(log)) < 3:
            rotation.tidy(tmp_path, limit=200_000)
            assert time.monotonic() < deadline
        put_aside = log.stat().st_size
        while log.stat().st_size <= put_aside:
            assert time.monotonic() < deadline, "the writer has stopped"
        writer.send_signal(signal.SIGSTOP)
    lines = b"".join(path.read_bytes() for path in [*reversed(backups(log)), log]).splitlines()
    assert {len(line) for line in lines} == {511}
    numbers = [int(line.split()[0]) for line in lines]
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 0


# The log keeper's look, where no file can have more than 500 bytes: writing fails in the midst, as on a full disk.
CRAMPED = """
import pathlib, resource, sys
from ochaq_local import rotation
resource.setrlimit(resource.RLIMIT_FSIZE, (500, 500))
rotation.tidy(pathlib.Path(sys.argv[1]), limit=100)
"""


def test_what_cannot_be_copied_stays_whole_and_the_others_are_still_done(tmp_path: Path) -> None:
    first, second = tmp_path / "a.log", tmp_path / "b.log"
    first.write_bytes(KILOBYTE)
    second.write_bytes(KILOBYTE[:400])
    environment = {"PYTHONPATH": str(Path(rotation.__file__).parents[1])}
    words = [sys.executable, "-c", CRAMPED, str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=30, check=True)
    assert "a.log stays as it is" in done.stdout
    assert (first.read_bytes(), second.read_bytes()) == (KILOBYTE, b"")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.log", "b.log", "b.log.1"]


def test_it_goes_through_our_own_link_and_no_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    logs, home = tmp_path / "log", tmp_path / "nginx"
    logs.mkdir()
    home.mkdir()
    (home / "access.log").write_bytes(KILOBYTE)
    (tmp_path / "precious").write_bytes(KILOBYTE)
    (home / "error.log").symlink_to(tmp_path / "precious")
    os.mkfifo(home / "pipe.log")
    for name in ("access", "error", "pipe", "missing"):
        (logs / f"gateway-{name}.log").symlink_to(home / f"{name}.log")
    rotation.tidy(logs, limit=100)
    assert (logs / "gateway-access.log.1").read_bytes() == KILOBYTE
    assert ((home / "access.log").read_bytes(), (tmp_path / "precious").read_bytes()) == (b"", KILOBYTE)
    said = capsys.readouterr().out
    assert "gateway-error.log stays" in said
    assert "gateway-pipe.log stays" in said
    assert "missing" not in said


def test_it_runs_alone_until_it_is_ended(tmp_path: Path) -> None:
    log = tmp_path / "a.log"
    log.write_bytes(b"x" * (rotation.LIMIT + 1))
    keeper = subprocess.Popen([sys.executable, "-I", "-S", rotation.__file__, str(tmp_path)])
    try:
        deadline = time.monotonic() + 20
        while log.stat().st_size:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert keeper.poll() is None
    finally:
        keeper.terminate()
        assert keeper.wait(10) == -signal.SIGTERM
