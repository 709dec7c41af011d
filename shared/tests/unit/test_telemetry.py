"""Logging costs its caller nothing: where nothing can be written, lines are lost and the work goes on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Logs as services do, by structlog and by the standard library, and tells how far it came where a log is not.
TALKER = """
import logging, os, pathlib, sys
import structlog
from ochaq_shared import telemetry
telemetry.configure("talker", "talk")
log = structlog.get_logger()
for number in range(300):
    log.info("said", number=number, much="x" * 100)
    logging.getLogger("library").warning("repeated %s", number)
pathlib.Path(sys.argv[1]).write_text("came to the end")
"""


@pytest.fixture
def end(tmp_path: Path) -> Path:
    return tmp_path / "end"


def talk(end: Path, stdout: int, *, unbuffered: bool = True) -> int:
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"} if unbuffered else dict(os.environ)
    done = subprocess.run(
        [sys.executable, "-c", TALKER, str(end)], env=environment, stdout=stdout, stderr=stdout, timeout=30, check=False
    )
    return done.returncode


def test_a_full_disk_fails_nobody(end: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        assert talk(end, full.fileno()) == 0
    assert end.read_text() == "came to the end"


def test_a_reader_that_is_gone_fails_nobody(end: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        assert talk(end, writer) == 0
    finally:
        os.close(writer)
    assert end.read_text() == "came to the end"


def test_work_goes_on_where_python_keeps_lines_back_too(end: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        talk(end, full.fileno(), unbuffered=False)
    assert end.read_text() == "came to the end"


def test_every_line_is_written_whole_where_it_can_be(end: Path, tmp_path: Path) -> None:
    log = tmp_path / "talker.log"
    with log.open("ab") as file:
        assert talk(end, file.fileno()) == 0
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert [line["number"] for line in lines if line["event"] == "said"] == list(range(300))
    assert [line["event"] for line in lines if line["event"] != "said"] == [f"repeated {n}" for n in range(300)]
    assert {(line["service"], line["process"]) for line in lines} == {("talker", "talk")}
