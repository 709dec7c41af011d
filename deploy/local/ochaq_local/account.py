"""The system user that the servers run as. PostgreSQL refuses root, and nobody should run a server as root."""

import os
import pwd
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .stop import Stop

NAME = "ochaq"


@dataclass(frozen=True)
class Account:
    name: str
    uid: int
    gid: int

    @property
    def owner(self) -> tuple[int, int]:
        return self.uid, self.gid

    @property
    def is_other(self) -> bool:
        """Whether a process has to change its user to run as this account."""
        return self.uid != os.geteuid()

    def directory(self, path: Path, mode: int = 0o700) -> Path:
        """Make a folder that belongs to this account."""
        path.mkdir(parents=True, exist_ok=True)
        path.chmod(mode)
        if os.geteuid() == 0:
            os.chown(path, *self.owner)
        return path

    def run(
        self, args: list[str], environment: dict[str, str] | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a short command as this account and give back how it ended."""
        switch: dict[str, object] = {"user": self.uid, "group": self.gid, "extra_groups": []} if self.is_other else {}
        env = {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", **(environment or {})}
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            args,
            env=env,
            cwd=cwd or "/",
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            **switch,
        )

    def can_enter(self, path: Path) -> bool:
        return self.run(["/usr/bin/test", "-x", str(path)]).returncode == 0


def current() -> Account:
    entry = pwd.getpwuid(os.geteuid())
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def for_servers() -> Account:
    """The invoking user, or the unprivileged user `ochaq` (made when missing) where the invoking user is root."""
    if os.geteuid() != 0:
        return current()
    try:
        entry = pwd.getpwnam(NAME)
    except KeyError:
        entry = _create()
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid)


def _create() -> pwd.struct_passwd:
    command = ["/usr/sbin/useradd", "--system", "--no-create-home", "--home-dir", "/nonexistent"]
    done = subprocess.run([*command, "--shell", "/usr/sbin/nologin", NAME], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stop(f"The servers need a system user and `useradd {NAME}` failed: {done.stderr.strip()}")
    return pwd.getpwnam(NAME)
