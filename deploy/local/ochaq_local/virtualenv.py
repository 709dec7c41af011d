"""`.venv`: one Python environment for all services on this machine, built from hash-pinned requirements."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from . import debian, kept
from .stop import Stop

PACKAGES = ("shared", "services/web", "services/worker", "services/realtime", "services/files", "services/search")
SETS = ("local", "dev")  # what runs the platform; that and what tests and checks it
SYSTEM_PYTHON = Path("/usr/bin/python3")


def ensure(checkout: Path, wanted: str = "local") -> bool:
    """Bring `.venv` to what the requirements say. Gives back whether anything had to be done."""
    with kept.locked(
        checkout / "requirements" / "bootstrap.txt", "Another command installs into .venv: waiting for it."
    ):
        if is_current(checkout, wanted):
            return False
        _make(checkout)
        _install(checkout, wanted)
        stamps = kept.read_json(_stamp_file(checkout)) or {}
        kept.write_json(_stamp_file(checkout), {**stamps, wanted: stamp(checkout, wanted)}, kept.PUBLIC)
        return True


def is_current(checkout: Path, wanted: str) -> bool:
    """Whether a whole installation of just these requirements stands. The larger set holds the smaller one."""
    stamps = kept.read_json(_stamp_file(checkout)) or {}
    holding = SETS[SETS.index(wanted) :]
    return any(stamps.get(name) == stamp(checkout, name) for name in holding) and _runs(checkout)


def stamp(checkout: Path, wanted: str) -> str:
    """Changes with everything that decides what `.venv` holds; the checkout's own path is written into it too."""
    digest = hashlib.sha256(f"{checkout}\n".encode())
    for path in (f"requirements/{wanted}.txt", *(f"{package}/pyproject.toml" for package in PACKAGES)):
        digest.update(f"{path}\n".encode())
        digest.update((checkout / path).read_bytes())
    return digest.hexdigest()


def _stamp_file(checkout: Path) -> Path:
    return checkout / ".venv" / "ochaq.json"


def _python(checkout: Path) -> str:
    return str(checkout / ".venv" / "bin" / "python")


def _runs(checkout: Path) -> bool:
    try:
        return subprocess.run([_python(checkout), "-c", ""], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _make(checkout: Path) -> None:
    """Make the environment itself and its installer, both repeated when an earlier try was torn."""
    if not _runs(checkout) or not _has_module(checkout, "pip"):
        base = _base_python()
        _run([base, "-m", "venv", "--clear", str(checkout / ".venv")], "The Python environment could not be made")
    if not (checkout / ".venv" / "bin" / "uv").exists():
        print("Installing uv, the installer for everything else", flush=True)
        command = [_python(checkout), "-m", "pip", "install", "-q", "--disable-pip-version-check", "--require-hashes"]
        _run([*command, "-r", str(checkout / "requirements" / "bootstrap.txt")], "uv could not be installed")


def _has_module(checkout: Path, name: str) -> bool:
    code = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({name!r}) is None)"
    return subprocess.run([_python(checkout), "-c", code], capture_output=True, check=False).returncode == 0


def _base_python() -> str:
    """Debian's own Python where it is new enough: one in a home folder may vanish or be closed to other users."""
    code = "import sys; sys.exit(sys.version_info < (3, 11))"
    if SYSTEM_PYTHON.exists() and subprocess.run([SYSTEM_PYTHON, "-c", code], check=False).returncode == 0:
        debian.install_missing(("python3-venv",))
        return str(SYSTEM_PYTHON)
    return sys.executable


def _install(checkout: Path, wanted: str) -> None:
    print(f"Installing requirements/{wanted}.txt into .venv", flush=True)
    install = [str(checkout / ".venv" / "bin" / "uv"), "pip", "install", "-q", "--python", _python(checkout)]
    locked = ["--require-hashes", "--compile-bytecode", "-r", str(checkout / "requirements" / f"{wanted}.txt")]
    _run([*install, *locked], f"The packages of requirements/{wanted}.txt could not be installed")
    editable = [part for package in PACKAGES for part in ("-e", str(checkout / package))]
    _run([*install, "--no-deps", "--no-build-isolation", *editable], "Ochaq's own packages could not be installed")


def _run(command: list[str], failure: str) -> None:
    environment = {**os.environ, "UV_NO_PROGRESS": "1"}
    done = subprocess.run(
        command, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise Stop(f"{failure}: {' '.join(lines[-3:])[-400:] or 'no reason given'}")
