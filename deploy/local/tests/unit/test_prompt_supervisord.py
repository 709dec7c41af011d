"""What ended is started again at once, and not at the second look after its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ochaq_local import prompt_supervisord

CONFIGURATION = """
[supervisord]
nodaemon = true
logfile = {folder}/supervisord.log
pidfile = {folder}/supervisord.pid

[program:sleeper]
command = /bin/sh -c 'echo $$ >> {folder}/starts; exec sleep 60'
autorestart = true
startsecs = 1
stdout_logfile = NONE
"""


@pytest.fixture
def starts(tmp_path: Path) -> Iterator[Path]:
    """The file in which a program that is looked after writes its process id at each start."""
    configuration = tmp_path / "supervisord.conf"
    configuration.write_text(CONFIGURATION.format(folder=tmp_path))
    words = [sys.executable, "-P", prompt_supervisord.__file__, "-c", str(configuration)]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield tmp_path / "starts"
    process.terminate()
    assert process.wait(15) == 0
    assert not Path(f"/proc/{_started(tmp_path / 'starts')[-1]}").exists(), "it ended what it had started"


def _started(file: Path) -> list[int]:
    return [int(line) for line in file.read_text().split()] if file.exists() else []


def _wait(file: Path, count: int, seconds: float) -> float:
    """How long it took until that many starts."""
    began = time.monotonic()
    while len(_started(file)) < count:
        assert time.monotonic() - began < seconds, f"not started for the {count}. time within {seconds} s"
        time.sleep(0.01)
    return time.monotonic() - began


def test_what_was_killed_is_started_again_at_once(starts: Path) -> None:
    _wait(starts, 1, 10)
    for count in (2, 3):
        time.sleep(1.5)  # started for good, and the supervisor is asleep
        os.kill(_started(starts)[-1], signal.SIGKILL)
        # supervisord by itself: a second from its end to its start, after up to a second to see that it ended.
        assert _wait(starts, count, 10) < 0.7
