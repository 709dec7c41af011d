"""Failpoints: nothing in an ordinary process; in a test, exactly what the file says, exactly as often."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ochaq_shared import failpoints
from ochaq_shared.failpoints import FailpointRaised

HITS = "import sys; from pathlib import Path; from ochaq_shared import failpoints as f; f.configure(Path(sys.argv[1]));"


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "failpoints.json"
    failpoints.configure(path)
    yield path
    failpoints.configure(None)


def process(file: Path, program: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([sys.executable, "-c", HITS + program, str(file)], capture_output=True, check=False)


def test_an_ordinary_process_passes_every_point() -> None:
    failpoints.hit("relay.published")
    assert failpoints.value("relay.duplicate", 1) == 1


def test_a_file_that_is_not_there_yet_does_nothing(file: Path) -> None:
    failpoints.hit("a")
    assert failpoints.value("a", 7) == 7


def test_a_point_raises_as_often_as_it_may(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "raise", "times": 2}})
    for _ in range(2):
        with pytest.raises(FailpointRaised, match="a"):
            failpoints.hit("a")
    failpoints.hit("a")
    failpoints.hit("b")
    assert failpoints.fired(file, "a") == 2
    assert failpoints.fired(file, "b") == 0


def test_a_point_pauses(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "pause", "seconds": 0.2}})
    began = time.monotonic()
    failpoints.hit("a")
    assert time.monotonic() - began >= 0.2


def test_a_point_gives_a_value_only_to_who_asks_for_one(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "value", "value": 5}, "b": {"do": "raise"}})
    assert failpoints.value("a", 1) == 5
    failpoints.hit("a")
    assert failpoints.value("b", 1) == 1


def test_the_file_may_change_and_go_while_processes_run(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "value", "value": 5}})
    assert failpoints.value("a", 1) == 5
    failpoints.write(file, {"a": {"do": "value", "value": 6}})
    assert failpoints.value("a", 1) == 6
    file.unlink()
    assert failpoints.value("a", 1) == 1


def test_times_count_across_processes_and_their_restarts(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "kill", "times": 1}})
    assert process(file, "f.hit('a')").returncode == -signal.SIGKILL
    assert process(file, "f.hit('a')").returncode == 0
    failpoints.hit("a")
    # Written anew, the same rule kills again.
    failpoints.write(file, {"a": {"do": "kill", "times": 1}})
    assert process(file, "f.hit('a')").returncode == -signal.SIGKILL


def test_two_processes_at_once_share_the_times(file: Path) -> None:
    failpoints.write(file, {"a": {"do": "value", "value": 1, "times": 50}})
    program = "print(sum(f.value('a', 0) for _ in range(50)))"
    words = [sys.executable, "-c", HITS + program, str(file)]
    both = [subprocess.Popen(words, stdout=subprocess.PIPE) for _ in range(2)]
    assert sum(int(each.communicate()[0]) for each in both) == 50


@pytest.mark.parametrize("rule", [{"do": "explode"}, {"do": "kill", "time": 1}, {}])
def test_a_wrong_rule_is_refused_rather_than_ignored(file: Path, rule: dict[str, object]) -> None:
    with pytest.raises((ValueError, TypeError)):
        failpoints.write(file, {"a": rule})
    assert not file.exists()
    file.write_text(f'{{"a": {str(rule).replace(chr(39), chr(34))}}}')
    with pytest.raises((ValueError, TypeError)):
        failpoints.hit("a")


def test_a_point_that_is_off_costs_less_than_a_microsecond() -> None:
    began = os.times().user
    for _ in range(100_000):
        failpoints.hit("relay.published")
    assert os.times().user - began < 0.1
