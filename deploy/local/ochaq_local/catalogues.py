"""The pages' translations: compiled from what translators write, as compiled ones are not kept in the repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

from .stop import Stop


def ensure(checkout: Path) -> None:
    """Compile the catalogues when one of them changed. A language without a compiled catalogue is not offered."""
    written = list((checkout / "services" / "web" / "ochaq_web" / "locale").glob("*/LC_MESSAGES/*.po"))
    if not any(_is_stale(path) for path in written):
        return
    command = [str(checkout / ".venv" / "bin" / "python"), "-m", "ochaq_web.translations", "compile"]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Stop(f"The translations could not be compiled: {(done.stderr or done.stdout).strip()[-300:]}")


def _is_stale(path: Path) -> bool:
    compiled = path.with_suffix(".mo")
    return not compiled.exists() or compiled.stat().st_mtime < path.stat().st_mtime
