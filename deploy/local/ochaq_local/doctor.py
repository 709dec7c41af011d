"""`doctor`: looks over this machine and this instance and says what is wrong and what to do about it."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from . import debian, ports, remains, status, supervisor, table, virtualenv
from .instance import CHECKOUT, Instance
from .stop import Stop
from .up import FREE_BYTES

Level = Literal["ok", "note", "bad"]
LAG_SECONDS = 30


@dataclass(frozen=True)
class Finding:
    level: Level
    text: str


def doctor(instance: Instance) -> int:
    """Prints every finding; 1 where something is bad."""
    findings = [*_machine(), *_rights(instance), *_installation(), *_running(instance)]
    for finding in findings:
        print(f"{finding.level:<5} {finding.text}")
    return 1 if any(finding.level == "bad" for finding in findings) else 0


def _machine() -> Iterator[Finding]:
    system = platform.freedesktop_os_release() if Path("/etc/os-release").exists() else {}
    known = system.get("ID") == "debian" or "debian" in system.get("ID_LIKE", "")
    name = system.get("PRETTY_NAME", platform.system())
    yield Finding(
        "ok" if known else "note", name if known else f"{name}: only Debian 12 is tried; install the servers yourself"
    )
    yield Finding("ok", f"Python {platform.python_version()}")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20
    yield Finding("ok" if memory >= 2500 else "note", f"{memory} MB of memory (2500 MB are comfortable)")


def _rights(instance: Instance) -> Iterator[Finding]:
    for path in {instance.state, instance.data if "data" in instance.kept else instance.state}:
        yield _disk(path)
    if (
        os.geteuid() != 0
        and shutil.which("sudo") is None
        and any(not debian.is_installed(p) for p in debian.SERVER_PACKAGES)
    ):
        yield Finding("bad", "packages are missing and there is neither root nor sudo to install them")


def _disk(path: Path) -> Finding:
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if not os.access(there, os.W_OK):
        return Finding("bad", f"{there} cannot be written by this user")
    return Finding("ok" if free >= FREE_BYTES else "bad", f"{free // 2**20} MB free where {path} lies")


def _installation() -> Iterator[Finding]:
    for package in debian.SERVER_PACKAGES:
        there = debian.is_installed(package)
        yield Finding(
            "ok" if there else "note", f"{package} is {'installed' if there else 'missing: `make up` installs it'}"
        )
    current = virtualenv.is_current(CHECKOUT, "local")
    yield Finding(
        "ok" if current else "note", f".venv {'is current' if current else 'is not current: `make up` mends it'}"
    )


def _running(instance: Instance) -> Iterator[Finding]:
    if not instance.ports or not supervisor.answers(instance):
        yield from _stopped(instance)
        return
    rows = status.rows(instance)
    yield Finding("ok", f"the supervisor watches {len(rows)} processes")
    for row in rows:
        if not row["ready"]:
            yield Finding("bad", f"{row['name']} is {row['state']} and not ready: `make logs NAME={row['name']}`")
    if any(row["name"] == "postgres" and row["ready"] for row in rows):
        yield from _outboxes(instance)


def _stopped(instance: Instance) -> Iterator[Finding]:
    if instance.exists and (left := remains.living(instance)):
        yield Finding(
            "bad",
            f"{len(left)} processes live without their supervisor: `make up` starts afresh, `make down` ends them",
        )
        return
    free = ports.is_free(instance.port)
    yield Finding(
        "ok" if free else "bad", f"port {instance.port} is {'free' if free else 'taken: `make up PORT=…` with another'}"
    )
    yield Finding("note", "nothing runs: `make up` starts it")


def _outboxes(instance: Instance) -> Iterator[Finding]:
    """How long the oldest event waits for its relay."""
    server = table.postgres(instance)
    age = "coalesce(ceil(extract(epoch FROM now() - min(created_at))), 0)"
    lag = f"SELECT count(*), {age} FROM outbox WHERE published_at IS NULL"  # noqa: S608 (constants)
    for service in ("web", "files"):
        try:
            pending, seconds = server.query(lag, f"ochaq_{service}").split("|")
        except Stop as stop:
            yield Finding("bad", f"the outbox of {service} cannot be read: {stop}")
            continue
        late = int(seconds) > LAG_SECONDS
        yield Finding(
            "bad" if late else "ok", f"outbox of {service}: {pending} events wait, the oldest for {seconds} s"
        )
