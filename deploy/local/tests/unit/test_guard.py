"""The guard with real processes: orphans are found and ended, strangers are left alone."""

import json
import os
import pwd
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ochaq_local import guard
from run_directories import fresh_directory, remove_directory

# A parent with one child; both would live for a minute. The child's id is written to a file in the current folder.
PARENT = """
import pathlib, subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session={detached})
pathlib.Path("child.pid").write_text(str(child.pid))
time.sleep(60)
"""


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[dict[str, Any]]:
    home = tmp_path / "home"
    home.mkdir()
    made = {
        "name": "parent",
        "instance": uuid.uuid4().hex[:12],
        "directory": str(home),
        "command": [sys.executable, "-c", PARENT.format(detached=True)],
        "environment": {"PATH": os.defpath},
        "stale": [str(home / "old.pid")],
    }
    yield made
    guard.end(guard.of_instance(made["instance"]))


def _start(spec: dict[str, Any], tmp_path: Path) -> subprocess.Popen[bytes]:
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    return subprocess.Popen([sys.executable, "-I", "-S", guard.__file__, str(tmp_path / "spec.json")])


def _child(spec: dict[str, Any], *, unlike: int = 0) -> int:
    file = Path(spec["directory"]) / "child.pid"
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if file.exists() and file.read_text() and int(file.read_text()) != unlike:
            return int(file.read_text())
        time.sleep(0.02)
    raise AssertionError("the parent did not start its child")


def test_the_guard_becomes_the_process_it_starts(spec: dict[str, Any], tmp_path: Path) -> None:
    started = _start(spec, tmp_path)
    _child(spec)
    assert Path(f"/proc/{started.pid}/cmdline").read_bytes().startswith(sys.executable.encode())
    assert b"time.sleep" in Path(f"/proc/{started.pid}/cmdline").read_bytes()
    started.kill()
    started.wait()


def test_an_orphan_of_a_killed_process_is_ended_before_the_process_starts_again(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    first = _start(spec, tmp_path)
    orphan = _child(spec)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert guard.is_alive(orphan)
    second = _start(spec, tmp_path)
    child = _child(spec, unlike=orphan)
    assert not guard.is_alive(orphan)
    assert sorted(guard.leftovers(spec)) == sorted([second.pid, child])
    second.kill()
    second.wait()


def test_a_process_that_hides_its_environment_is_known_by_its_program_and_its_folder(tmp_path: Path) -> None:
    home = tmp_path / "home"
    (home / "data").mkdir(parents=True)
    spec = {"name": "x", "instance": "none", "directory": str(home), "command": ["/bin/sleep"]}
    inside = subprocess.Popen(["/bin/sleep", "60"], cwd=home / "data", env={})
    outside = subprocess.Popen(["/bin/sleep", "60"], cwd=tmp_path, env={})
    other_program = subprocess.Popen(["/usr/bin/tail", "-f", "/dev/null"], cwd=home, env={})
    try:
        time.sleep(0.1)
        assert guard.leftovers(spec) == [inside.pid]
    finally:
        for process in (inside, outside, other_program):
            process.kill()
            process.wait()


def test_the_same_process_of_another_instance_is_left_alone(spec: dict[str, Any], tmp_path: Path) -> None:
    started = _start(spec, tmp_path)
    _child(spec)
    assert guard.leftovers({**spec, "instance": "another", "directory": "/nowhere"}) == []
    assert guard.leftovers({**spec, "name": "another", "directory": "/nowhere"}) == []
    started.kill()
    started.wait()


def test_stale_files_are_removed_before_the_start(spec: dict[str, Any], tmp_path: Path) -> None:
    stale = Path(spec["stale"][0])
    stale.write_text("123")
    started = _start(spec, tmp_path)
    _child(spec)
    assert not stale.exists()
    started.kill()
    started.wait()


def test_a_test_server_ends_with_its_parent(spec: dict[str, Any], tmp_path: Path) -> None:
    spec["die_with_parent"] = True
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    words = [sys.executable, "-I", "-S", guard.__file__, str(tmp_path / "spec.json")]
    between = subprocess.Popen(
        [sys.executable, "-c", f"import subprocess, time; subprocess.Popen({words!r}); time.sleep(60)"]
    )
    child = _child(spec)
    parent = next(pid for pid in guard.leftovers(spec) if pid != child)
    between.kill()
    between.wait()
    assert guard.wait_gone([parent], 5) == []


def test_a_zombie_counts_as_gone() -> None:
    finished = subprocess.Popen(["/bin/true"])
    deadline = time.monotonic() + 5
    while guard.is_alive(finished.pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not guard.is_alive(finished.pid)
    finished.wait()


TALKER = """
import os, sys
print("said", os.getuid(), os.getgroups(), flush=True)
sys.stderr.write("and died of it")
sys.exit(3)
"""


def _talk(spec: dict[str, Any], tmp_path: Path, log: Path) -> subprocess.CompletedProcess[str]:
    """Runs a process that says something, under a guard whose own standard output nobody reads any more."""
    spec["command"] = ["/usr/bin/python3", "-c", TALKER]
    (tmp_path / "spec.json").write_text(json.dumps(spec))
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-I", "-S", guard.__file__, str(tmp_path / "spec.json"), str(log)]
    try:
        return subprocess.run(words, stdout=writer, stderr=writer, text=True, timeout=30, check=False)
    finally:
        os.close(writer)


def test_a_process_appends_to_a_log_of_its_own(spec: dict[str, Any], tmp_path: Path) -> None:
    log = tmp_path / "parent.log"
    log.write_text("before\n")
    assert _talk(spec, tmp_path, log).returncode == 3
    before, said, died = log.read_text().splitlines()
    assert (before, died) == ("before", "and died of it")
    assert said.startswith(f"said {os.getuid()} ")


def test_a_log_is_new_for_its_owner_alone_and_tells_of_the_guards_own_failures(
    spec: dict[str, Any], tmp_path: Path
) -> None:
    log = tmp_path / "parent.log"
    del spec["directory"]
    assert _talk(spec, tmp_path, log).returncode == 1
    assert "KeyError: 'directory'" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_a_log_that_cannot_be_opened_keeps_no_process_from_running(spec: dict[str, Any], tmp_path: Path) -> None:
    assert _talk(spec, tmp_path, tmp_path / "no such folder" / "parent.log").returncode == 3
    assert list(tmp_path.glob("no such*")) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_it_becomes_the_servers_user_after_it_has_opened_the_log(spec: dict[str, Any], tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    home = fresh_directory("ochaq-guard-")
    try:
        account = [nobody.pw_uid, nobody.pw_gid]
        os.chown(home, *account)
        _talk({**spec, "directory": str(home), "stale": [], "account": account}, tmp_path, tmp_path / "parent.log")
    finally:
        remove_directory(home)
    assert tmp_path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "parent.log").read_text().startswith(f"said {nobody.pw_uid} []\n")
