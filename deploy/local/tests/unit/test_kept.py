import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ochaq_local import credentials, kept


def test_a_secret_file_is_never_readable_by_others_not_even_while_it_is_written(tmp_path: Path) -> None:
    os.umask(0o000)
    try:
        kept.write_json(tmp_path / "secrets.json", {"a": 1}, kept.PRIVATE)
    finally:
        os.umask(0o022)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["secrets.json"]


def test_secrets_are_random_and_stay(tmp_path: Path) -> None:
    first = credentials.load(tmp_path / "a" / "secrets.json")
    assert credentials.load(tmp_path / "a" / "secrets.json") == first
    other = credentials.load(tmp_path / "b" / "secrets.json")
    assert not set(first.values()) & set(other.values())
    assert set(first) == set(credentials.NAMES)


def test_a_newer_version_adds_its_secrets_and_keeps_the_old_ones(tmp_path: Path) -> None:
    kept.write_json(tmp_path / "secrets.json", {"redis": "old"})
    assert credentials.load(tmp_path / "secrets.json")["redis"] == "old"
    assert credentials.load(tmp_path / "secrets.json")["rabbitmq"]


HOLDER = """
import pathlib, sys, time
sys.path.insert(0, sys.argv[1])
from ochaq_local import kept
with kept.locked(pathlib.Path(sys.argv[2])):
    print("held", flush=True)
    time.sleep(float(sys.argv[3]))
"""


@contextmanager
def _holder(lock: Path, seconds: float) -> Iterator[subprocess.Popen[bytes]]:
    """Another command that holds the lock for some seconds."""
    package = Path(kept.__file__).parents[1]
    words = [sys.executable, "-c", HOLDER, str(package), str(lock), str(seconds)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"held\n"
        yield other
        other.kill()


def test_a_second_command_waits_for_the_first_and_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with _holder(tmp_path / "lock", 0.5):
        began = time.monotonic()
        with kept.locked(tmp_path / "lock", "waiting for the other"):
            assert time.monotonic() - began > 0.2
    assert "waiting for the other" in capsys.readouterr().out


def test_a_lock_ends_with_its_holder_however_it_ends(tmp_path: Path) -> None:
    with _holder(tmp_path / "lock", 60) as other:
        other.kill()
        other.wait()
        with kept.locked(tmp_path / "lock"):
            pass
