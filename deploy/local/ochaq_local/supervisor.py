"""supervisord keeps every process alive: its configuration, its start, and the calls that ask it things."""

from __future__ import annotations

import http.client
import os
import resource
import shlex
import shutil
import socket
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterable
from pathlib import Path
from typing import Any, cast

from . import guard, kept
from .instance import Instance
from .processes import Process
from .stop import Stop

GROUPS = {"servers": 10, "services": 20}  # a group starts and stops as one; the higher number stops first
NAME = "supervisord"

MAIN = """\
[unix_http_server]
file = {socket}
chmod = 0700

[supervisord]
identifier = ochaq-{instance}
logfile = {logs}/supervisord.log
logfile_maxbytes = 5MB
logfile_backups = 2
loglevel = info
pidfile = {run}/supervisord.pid
childlogdir = {logs}
umask = 022
minfds = {files}
minprocs = 64
{user}
[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl = unix://{socket}
"""
GROUP = """
[group:{name}]
programs = {programs}
priority = {priority}
"""
# `startretries` has no end: a process that cannot start now is tried again, with growing pauses, until it can.
PROGRAM = """
[program:{name}]
command = {command}
autostart = {autostart}
autorestart = true
startsecs = 1
startretries = 1000000000
stopsignal = {stop_signal}
stopwaitsecs = {stop_seconds}
killasgroup = true
redirect_stderr = true
stdout_logfile = {logs}/{name}.log
stdout_logfile_maxbytes = 10MB
stdout_logfile_backups = 3
{user}"""


def configure(instance: Instance, table: Iterable[Process]) -> None:
    """Write the supervisor's configuration and what its guard needs to start each process."""
    programs = list(table)
    _place_guard(instance)
    instance.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for process in programs:
        _write_spec(instance, process)
    sections = [_main(instance), *_groups(programs), *(_program(instance, process) for process in programs)]
    kept.write(instance.state / "supervisord.conf", "".join(sections), kept.PRIVATE)


def _place_guard(instance: Instance) -> None:
    """Copy the guard to where the servers' user can read it, which a checkout under /root is not."""
    kept.write(_guard_file(instance), Path(guard.__file__).read_text())


def _guard_file(instance: Instance) -> Path:
    return instance.data / "run" / "guard.py"


def command(instance: Instance, process: Process) -> list[str]:
    """What starts a process through its guard."""
    return [interpreter(), "-I", "-S", str(_guard_file(instance)), str(spec_file(instance, process))]


def spec_file(instance: Instance, process: Process) -> Path:
    return instance.data / "run" / f"{process.name}.json"


def _write_spec(instance: Instance, process: Process) -> None:
    process.directory.mkdir(parents=True, exist_ok=True)
    owner = instance.account.owner if process.user else None
    kept.write_json(spec_file(instance, process), process.spec(instance.id), kept.PRIVATE, owner)


def _main(instance: Instance) -> str:
    instance.socket.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if instance.socket.parent.stat().st_uid != os.geteuid():
        raise Stop(f"{instance.socket.parent} belongs to somebody else: remove it and try again.")
    return MAIN.format(
        socket=_escaped(str(instance.socket)),
        instance=instance.id,
        logs=_escaped(str(instance.logs)),
        run=_escaped(str(instance.run)),
        files=_open_files(),
        user="user = root\n" if os.geteuid() == 0 else "",
    )


def _open_files() -> int:
    """As many as the system lets us have: every socket of a browser is one."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return 65536 if hard == resource.RLIM_INFINITY else min(hard, 65536)


def _groups(programs: list[Process]) -> list[str]:
    members = {group: [p.name for p in programs if group_of(p) == group] for group in GROUPS}
    return [GROUP.format(name=name, programs=",".join(members[name]), priority=GROUPS[name]) for name in GROUPS]


def group_of(process: Process) -> str:
    return "servers" if process.kind == "server" else "services"


def _program(instance: Instance, process: Process) -> str:
    return PROGRAM.format(
        name=process.name,
        command=_escaped(shlex.join(command(instance, process))),
        # Services start when their databases are migrated; from then on they restart by themselves like all else.
        autostart="true" if process.kind == "server" else "false",
        stop_signal=process.stop_signal,
        stop_seconds=process.stop_seconds,
        logs=_escaped(str(instance.logs)),
        user=f"user = {process.user}\n" if process.user else "",
    )


def interpreter() -> str:
    """A Python that the servers' user can run too, which one in root's home is not."""
    usual = Path("/usr/bin/python3")
    return str(usual) if usual.exists() else (shutil.which("python3") or "python3")


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=30)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = str(path)

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _Connection(self.path)
        self._connection = host, connection  # what `close` closes
        return connection


def call(instance: Instance, method: str, *args: Any) -> Any:
    """One call of supervisord's interface; raises OSError where no supervisor answers."""
    transport = _Transport(instance.socket)
    with xmlrpc.client.ServerProxy("http://localhost/RPC2", transport=transport, allow_none=True) as proxy:
        return getattr(proxy.supervisor, method)(*args)


def answers(instance: Instance) -> bool:
    try:
        return bool(call(instance, "getState")["statename"] == "RUNNING")
    except (OSError, http.client.HTTPException, xmlrpc.client.Fault):
        return False


def information(instance: Instance) -> dict[str, dict[str, Any]]:
    """supervisord's own knowledge of each process, by name; empty where no supervisor runs."""
    try:
        return {row["name"]: row for row in cast(list[dict[str, Any]], call(instance, "getAllProcessInfo"))}
    except (OSError, http.client.HTTPException):
        return {}


def wait_stopped(instance: Instance, names: set[str], seconds: float) -> None:
    """Until supervisord itself has noticed that these processes ended: before that it would not start them again."""
    deadline = time.monotonic() + seconds
    while any(row["statename"] == "STOPPING" for name, row in information(instance).items() if name in names):
        if time.monotonic() > deadline:
            raise Stop(f"Not stopped after {seconds:.0f} s: {', '.join(sorted(names))}. See `make logs`.")
        time.sleep(0.05)


def start(instance: Instance) -> None:
    """Start supervisord (it goes to the background by itself) and with it the servers."""
    program = instance.checkout / ".venv" / "bin" / "supervisord"
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", guard.INSTANCE: instance.id, guard.PROCESS: NAME}
    words = [instance.python, str(program), "-c", str(instance.state / "supervisord.conf")]
    done = subprocess.run(
        words, env=environment, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise Stop(f"The supervisor did not start: {(done.stderr or done.stdout).strip()[-300:]}")
    _wait(instance)


def _wait(instance: Instance) -> None:
    deadline = time.monotonic() + 15
    while not answers(instance):
        if time.monotonic() > deadline:
            raise Stop(f"The supervisor does not answer: see {instance.logs}/supervisord.log.")
        time.sleep(0.05)


def start_services(instance: Instance) -> None:
    call(instance, "startProcessGroup", "services", False)


def shut_down(instance: Instance, seconds: float = 60) -> None:
    """Ask supervisord to stop everything, services before servers, and wait until it is gone."""
    try:
        pid = call(instance, "getPID")
        call(instance, "shutdown")
    except (OSError, http.client.HTTPException):
        return  # None runs, or it is ending already.
    guard.wait_gone([pid], seconds)
