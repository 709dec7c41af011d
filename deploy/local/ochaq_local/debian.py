"""Debian's packages: installs what is missing, without letting Debian start a server of its own."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from . import kept
from .servers import postgres, rabbitmq, redis
from .stop import Stop
from .table import NGINX

POLICY = Path("/usr/sbin/policy-rc.d")
POLICY_MARK = "# made by Ochaq for the length of one installation"
POLICY_TEXT = f"#!/bin/sh\n{POLICY_MARK}\nexit 101\n"

SERVER_PACKAGES = ("postgresql", "redis-server", "rabbitmq-server", "nginx")
TEST_PACKAGES = ("chromium", "unzip", "wrk")


def is_installed(package: str) -> bool:
    """By the program that is needed from it, so that one installed by another way counts too."""
    return CHECKS[package]()


def _has_venv() -> bool:
    code = "import venv, ensurepip"
    return subprocess.run(["/usr/bin/python3", "-c", code], capture_output=True, check=False).returncode == 0


CHECKS: dict[str, Callable[[], bool]] = {
    "postgresql": lambda: postgres.programs() is not None,
    "redis-server": redis.PROGRAM.exists,
    "rabbitmq-server": lambda: rabbitmq.programs() is not None,
    "nginx": Path(NGINX).exists,
    "python3-venv": _has_venv,
    "chromium": lambda: shutil.which("chromium") is not None,
    "unzip": lambda: shutil.which("unzip") is not None,
    "wrk": lambda: shutil.which("wrk") is not None,
}


def install_missing(packages: tuple[str, ...]) -> list[str]:
    """Install what is not there yet and say what that was."""
    _lift_forgotten_ban()
    missing = [package for package in packages if not is_installed(package)]
    if missing:
        print(f"Installing by apt: {' '.join(missing)}", flush=True)
        _install(missing)
    left = [package for package in missing if not is_installed(package)]
    if left:
        names = " ".join(left)
        raise Stop(f"apt installed {names}, but not where Debian 12 keeps its programs: this system is not supported.")
    return missing


def _install(packages: list[str]) -> None:
    if shutil.which("apt-get") is None:
        names = " ".join(packages)
        raise Stop(f"This system has no apt-get: install {names} by its own means, then run this again.")
    prefix = _rights(packages)
    with _nothing_starts(prefix):
        done = _apt(prefix, packages)
        if done.returncode != 0:
            # The list of packages may be missing (a fresh image) or old (a version that is gone by now).
            subprocess.run(
                [*prefix, "apt-get", "-q", "update"], check=False, capture_output=True, stdin=subprocess.DEVNULL
            )
            done = _apt(prefix, packages)
    if done.returncode != 0:
        reason = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no reason given"]
        raise Stop(f"`apt-get install {' '.join(packages)}` failed: {reason[0]}")


def _apt(prefix: list[str], packages: list[str]) -> subprocess.CompletedProcess[str]:
    options = ["-y", "-q", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"]
    quiet = ["env", "DEBIAN_FRONTEND=noninteractive"]
    command = [*prefix, *quiet, "apt-get", "install", *options, *packages]
    return subprocess.run(command, check=False, capture_output=True, text=True, stdin=subprocess.DEVNULL)


def _rights(packages: list[str]) -> list[str]:
    """Nothing in front of a command for root, sudo for the others."""
    if os.geteuid() == 0:
        return []
    names = " ".join(packages)
    if shutil.which("sudo") is None:
        raise Stop(
            f"Installing {names} needs root: ask an administrator for `apt-get install {names}`, then run this again."
        )
    if subprocess.run(["sudo", "-v"], check=False).returncode != 0:
        raise Stop(
            f"Installing {names} needs sudo, and sudo refused: ask an administrator for `apt-get install {names}`."
        )
    return ["sudo"]


@contextmanager
def _nothing_starts(prefix: list[str]) -> Iterator[None]:
    """Debian starts a server when its package is installed, on the standard port: forbid that for this installation.

    A policy that somebody else made stays as it is, and servers that ran before are not touched: the policy only
    answers the question whether an installation may start or stop something.
    """
    if not _place_policy(prefix):
        yield
        return
    # Held for the length of the installation: a ban that nobody holds was forgotten by an installation that was killed.
    with POLICY.open() as held:
        fcntl.flock(held, fcntl.LOCK_SH)
        try:
            yield
        finally:
            _remove_policy(prefix)


def _lift_forgotten_ban() -> None:
    if not _is_ours():
        return
    with POLICY.open() as found:
        try:
            fcntl.flock(found, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # Another checkout installs at this moment.
        _remove_policy([] if os.geteuid() == 0 else ["sudo", "-n"])


def _remove_policy(prefix: list[str]) -> None:
    subprocess.run([*prefix, "rm", "-f", str(POLICY)], check=False)


def _is_ours() -> bool:
    return POLICY.exists() and POLICY_MARK in POLICY.read_text(errors="replace")


def _place_policy(prefix: list[str]) -> bool:
    if POLICY.exists() and not _is_ours():
        return False
    if not prefix:
        kept.write(POLICY, POLICY_TEXT, 0o755)
        return True
    command = [*prefix, "sh", "-c", 'cat > "$1" && chmod 755 "$1"', "sh", str(POLICY)]
    return subprocess.run(command, input=POLICY_TEXT, text=True, check=False).returncode == 0
