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
from types import ModuleType
from typing import Any, cast

from . import guard, kept, rotation
from .instance import Instance
from .processes import Process
from .stop import Stop

GROUPS = {"logs": 5, "servers": 10, "services": 20}  # a group starts and stops as one; the higher number stops first
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
# The supervisor's pipe stays empty: the guard gives each process a log of its own, as nobody should depend on who reads
# a pipe; then it becomes the user the process runs as, who could not open a log in a folder of the supervisor's user.
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
stdout_logfile = NONE
"""


def configure(instance: Instance, table: Iterable[Process]) -> None:
    """Write the supervisor's configuration and what its guard needs to start each process."""
    programs = [_log_keeper(instance), *table]
    _place_copies(instance)
    instance.logs.mkdir(mode=0o700, parents=True, exist_ok=True)
    for process in programs:
        _write_spec(instance, process)
    sections = [_main(instance), *_groups(programs), *(_program(instance, process) for process in programs)]
    kept.write(instance.state / "supervisord.conf", "".join(sections), kept.PRIVATE)


def _log_keeper(instance: Instance) -> Process:
    """What keeps the logs of all others small. It serves nobody, so it stands in no table that people read."""
    return Process(
        name="log-keeper",
        kind="keeper",
        command=[interpreter(), "-I", "-S", str(_copy_of(instance, rotation)), str(instance.logs)],
        directory=instance.run / "log-keeper",
        port=0,
        environment={"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC"},
    )


def _place_copies(instance: Instance) -> None:
    """What runs all the time is not changed by a checkout that changes."""
    for module in (guard, rotation):
        kept.write(_copy_of(instance, module), Path(str(module.__file__)).read_text())


def _copy_of(instance: Instance, module: ModuleType) -> Path:
    return instance.data / "run" / Path(str(module.__file__)).name


def command(instance: Instance, process: Process) -> list[str]:
    """What starts a process through its guard, to say what it says where the caller does."""
    return [interpreter(), "-I", "-S", str(_copy_of(instance, guard)), str(spec_file(instance, process))]


def spec_file(instance: Instance, process: Process) -> Path:
    return instance.data / "run" / f"{process.name}.json"


def _write_spec(instance: Instance, process: Process) -> None:
    process.directory.mkdir(parents=True, exist_ok=True)
    account = instance.account.owner if process.user else None
    # For the supervisor's user alone: the guard does what it reads here before it becomes anybody else.
    kept.write_json(spec_file(instance, process), {**process.spec(instance.id), "account": account}, kept.PRIVATE)


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
    return {"keeper": "logs", "server": "servers"}.get(process.kind, "services")


def _program(instance: Instance, process: Process) -> str:
    words = [*command(instance, process), str(instance.logs / f"{process.name}.log")]
    return PROGRAM.format(
        name=process.name,
        command=_escaped(shlex.join(words)),
        # Services start when their databases are migrated; from then on they restart by themselves like all else.
        autostart="false" if group_of(process) == "services" else "true",
        stop_signal=process.stop_signal,
        stop_seconds=process.stop_seconds,
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
    program = Path(__file__).with_name("prompt_supervisord.py")
    environment = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", guard.INSTANCE: instance.id, guard.PROCESS: NAME}
    # Without its own folder on the path, where `supervisor` is this module.
    words = [instance.python, "-P", str(program), "-c", str(instance.state / "supervisord.conf")]
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
