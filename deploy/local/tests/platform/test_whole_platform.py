"""The whole platform by `deploy/local`: what operators rely on. One platform serves all tests of this file."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import amqp
import psycopg
import pytest
import redis
from amqp.exceptions import AccessRefused
from campus import Campus, post
from live import Watcher
from ochaq_local import guard, ports, processes, remains
from ochaq_local.instance import Instance
from ochaq_platform import COMMAND, Platform
from steps import STEPS, Story

pytestmark = [pytest.mark.platform, pytest.mark.slow, pytest.mark.timeout(300)]


def test_up_ends_with_everything_ready_under_the_names_of_the_contract(platform: Platform) -> None:
    rows = platform.processes()
    assert tuple(rows) == processes.NAMES
    assert {row["state"] for row in rows.values()} == {"running"}
    assert all(row["ready"] and row["pid"] > 0 for row in rows.values())


def test_status_as_json_prints_nothing_else(platform: Platform) -> None:
    words = ["make", "-s", "-C", str(Path(COMMAND[1]).parents[1]), "status", "FORMAT=json"]
    done = subprocess.run(words, env=platform.environment, capture_output=True, text=True, check=True)
    rows = json.loads(done.stdout)
    assert [set(row) for row in rows] == [{"name", "pid", "state", "ready"}] * len(processes.NAMES)
    assert done.stderr == ""


def test_a_restarted_process_is_a_new_one_every_time(platform: Platform) -> None:
    seen = {platform.processes()["search-index"]["pid"]}
    for _ in range(4):
        platform.command("restart", "search-index")
        seen.add(platform.processes()["search-index"]["pid"])
    assert len(seen) == 5


def test_the_demo_file_is_private_and_names_one_user_per_role(platform: Platform) -> None:
    assert (platform.state / "demo.json").stat().st_mode & 0o777 == 0o600
    demo = platform.demo
    assert demo["url"] == f"http://127.0.0.1:{platform.port}"
    roles = ("manager", "instructor", "student", "customer", "operator")
    assert demo["users"] == {role: f"{role}@ochaq.localhost" for role in roles}
    assert len(demo["password"]) >= 12


def test_every_user_of_the_demo_school_can_sign_in(platform: Platform) -> None:
    for user in platform.demo["users"].values():
        body = json.dumps({"email": user, "password": platform.demo["password"]}).encode()
        request = urllib.request.Request(
            f"{platform.url}/api/token/", body, {"Content-Type": "application/json"}, method="POST"
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert set(json.loads(answer.read())) >= {"access", "refresh"}


def test_secrets_are_readable_by_their_owner_only(platform: Platform) -> None:
    secrets = set(json.loads((platform.state / "secrets.json").read_text()).values())
    open_files = [
        path
        for path in platform.state.rglob("*")
        if path.is_file() and path.stat().st_mode & 0o044 and _enterable(path, platform.state)
    ]
    leaks = [path for path in open_files if any(secret in path.read_text(errors="replace") for secret in secrets)]
    assert leaks == []


def _enterable(path: Path, root: Path) -> bool:
    """Whether a stranger could come as far as this file."""
    folders = [parent for parent in path.parents if parent == root or root in parent.parents]
    return all(folder.stat().st_mode & 0o001 for folder in folders)


def test_everything_listens_on_the_loopback_interface_only(platform: Platform) -> None:
    ours = {f"{port:04X}" for port in json.loads((platform.state / "ports.json").read_text()).values()}
    listening = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    addresses = {row[1].split(":")[0] for row in listening if row[3] == "0A" and row[1].split(":")[1] in ours}
    assert addresses == {"0100007F"}


def test_a_second_up_changes_nothing_and_says_so(platform: Platform) -> None:
    before = platform.processes()
    said = platform.up()
    assert "already runs" in said
    assert "nothing was changed" in said
    assert platform.processes() == before


def test_another_port_while_it_runs_is_refused_with_what_to_do(platform: Platform) -> None:
    done = platform.command("up", "--port", str(platform.port + 1), check=False)
    assert done.returncode == 1
    assert "make down" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_port_in_use_is_refused_in_one_sentence_and_nothing_is_started(platform: Platform, tmp_path: Path) -> None:
    with socket.socket() as stranger:
        stranger.bind((ports.HOST, 0))
        stranger.listen()
        port = stranger.getsockname()[1]
        done = Platform(tmp_path / "local", port).command("up", "--port", str(port), check=False)
    assert done.returncode == 1
    assert f"Port {port} is in use" in done.stderr
    assert "make up PORT=" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert guard.of_instance(Instance((tmp_path / "local").resolve()).id) == []


@pytest.mark.parametrize("name", processes.NAMES)
def test_a_process_that_was_killed_is_back_by_itself(platform: Platform, name: str) -> None:
    platform.wait_ready()
    before = platform.kill(name)
    _wait_for_another(platform, name, before)
    platform.wait_ready()


def _wait_for_another(platform: Platform, name: str, before: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        row = platform.processes()[name]
        if row["ready"] and row["pid"] not in (None, before):
            return
        time.sleep(0.2)
    raise AssertionError(f"{name} is not back")


def test_a_killed_server_keeps_what_it_acknowledged(platform: Platform) -> None:
    platform.sql("web", "CREATE TABLE IF NOT EXISTS kept_by_postgres (n int)")
    platform.sql("web", "INSERT INTO kept_by_postgres VALUES (1)")
    _wait_for_another(platform, "postgres", platform.kill("postgres"))
    assert platform.sql("web", "SELECT n FROM kept_by_postgres") == [(1,)]
    platform.sql("web", "DROP TABLE kept_by_postgres")
    platform.wait_ready()


def test_after_a_kill_of_everything_up_recovers(platform: Platform) -> None:
    everything = guard.of_instance(Instance(platform.state).id)
    everything += [row["pid"] for row in platform.processes().values()]
    for pid in everything:
        guard.send(pid, signal.SIGKILL)
    guard.wait_gone(everything, 10)
    platform.up()
    assert all(row["ready"] for row in platform.processes().values())


def test_after_a_kill_of_the_supervisor_alone_all_go_on_and_up_starts_afresh(platform: Platform) -> None:
    platform.wait_ready()
    before, said = platform.processes(), _said(platform)
    supervisor = int((platform.state / "run" / "supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    guard.wait_gone([supervisor], 10)

    student = everybody_talks(platform)
    silent = {name for name, size in _said(platform).items() if size == said[name]}
    assert silent & {"gateway-access", *processes.NAMES} == {"gateway"}, "this one's log is gateway-access"
    time.sleep(5)
    assert platform.processes() == before
    assert "without their supervisor" in platform.command("doctor", check=False).stdout

    orphans = remains.living(Instance(platform.state))
    assert len(orphans) > len(processes.NAMES)
    platform.up()
    assert [name for pid, name in orphans.items() if guard.is_alive(pid)] == []
    after = platform.processes()
    assert [name for name, row in after.items() if not row["ready"]] == []
    with _campus(platform) as campus:
        assert campus.client("manager").get(f"/api/v1/students/{student['id']}/").json() == student


def _said(platform: Platform) -> dict[str, int]:
    """How much every process has logged."""
    return {log.stem: log.stat().st_size for log in (platform.state / "log").glob("*.log")}


@contextmanager
def _campus(platform: Platform) -> Iterator[Campus]:
    campus = Campus.of(platform.state)
    try:
        yield campus
    finally:
        campus.close()


def everybody_talks(platform: Platform) -> dict[str, Any]:
    """Make every process write into its log; gives back a student that was added meanwhile."""
    with _campus(platform) as campus:
        with Watcher(campus, "manager") as watcher:
            story = Story(campus, watcher, rows=300)
            for _, step in STEPS:
                step(story)
        body = {"name": "Soup of orphans", "servings": 4}
        assert post(campus.client("manager"), "/api/v1/recipes/", key="orphans", json=body).status_code == 201
        _servers_talk(platform)
        _beat_talks(platform)
        return story.real


def _servers_talk(platform: Platform) -> None:
    port = json.loads((platform.state / "ports.json").read_text())
    password = json.loads((platform.state / "secrets.json").read_text())["redis"]
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://nobody:wrong@127.0.0.1:{port['postgres']}/ochaq_web")
    with (
        pytest.raises(AccessRefused),
        closing(
            amqp.Connection(f"127.0.0.1:{port['rabbitmq']}", userid="nobody", password="wrong", virtual_host="ochaq")
        ) as connection,
    ):
        connection.connect()
    with closing(redis.Redis(port=port["redis"], password=password)) as client:
        client.bgrewriteaof()


def _beat_talks(platform: Platform) -> None:
    """It says something where web does not answer."""
    said = _said(platform)["worker-beat"]
    frozen = remains.of_process(Instance(platform.state), "web-serve")
    deadline = time.monotonic() + 60
    try:
        for pid in frozen:
            guard.send(pid, signal.SIGSTOP)
        while _said(platform)["worker-beat"] == said:
            assert time.monotonic() < deadline, "worker-beat says nothing"
            time.sleep(0.1)
    finally:
        for pid in frozen:
            guard.send(pid, signal.SIGCONT)
    platform.wait_ready("worker-beat")
    platform.wait_ready("web-serve")


def test_two_ups_at_once_start_one_platform(platform: Platform) -> None:
    platform.command("down")
    words = [sys.executable, COMMAND[1], "up"]
    both = [subprocess.Popen(words, env=platform.environment, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate(timeout=200)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted("nothing was changed" in text for text in said) == [False, True]
    platform.wait_ready()


def test_doctor_finds_nothing_bad_in_a_healthy_platform(platform: Platform) -> None:
    done = platform.command("doctor", check=False)
    assert "bad " not in done.stdout
    assert done.returncode == 0


def test_down_leaves_no_process_and_keeps_the_data(platform: Platform) -> None:
    instance = Instance(platform.state)
    held = [*json.loads((platform.state / "ports.json").read_text()).values(), platform.port]
    platform.command("down")
    assert guard.of_instance(instance.id) == []
    assert [port for port in held if not ports.is_free(port)] == []
    assert {row["state"] for row in platform.processes().values()} == {"stopped"}
    platform.up()
    assert platform.sql("web", "SELECT count(*) FROM django_migrations")[0][0] > 0
