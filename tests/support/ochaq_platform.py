"""The whole platform for tests that need it: started by `deploy/local up` on free ports, with data of its own."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
from ochaq_local import ports, status
from ochaq_local.instance import Instance
from run_directories import fresh_directory, remove_directory

CHECKOUT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(CHECKOUT / "deploy" / "local")]
# Tests come from one address and ask far more often than a person: the strict defaults have tests of their own.
RATES = {
    "OCHAQ_RATE_GENERAL": "off",
    "OCHAQ_RATE_AUTH": "off",
    "OCHAQ_RATE_UPLOAD": "off",
    "OCHAQ_RATE_HANDSHAKE": "off",
    "OCHAQ_MAX_CONNECTIONS": "1000",
}
# Each run looks from a place of its own: two that start at the same moment would both find the same port free.
FIRST_PORT = 18_080 + os.getpid() % 1_500


@dataclass(frozen=True)
class Platform:
    """One running platform."""

    state: Path
    port: int
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def demo(self) -> dict[str, Any]:
        """What `make up` tells people: url, password, users."""
        return dict(json.loads((self.state / "demo.json").read_text()))

    @property
    def url(self) -> str:
        return str(self.demo["url"])

    @property
    def environment(self) -> dict[str, str]:
        """What its commands run in. The settings of a service under test in this very process are none of its own."""
        ours = {name: value for name, value in os.environ.items() if not name.startswith("OCHAQ_")}
        return {**ours, **RATES, **self.settings, "OCHAQ_LOCAL": str(self.state)}

    def command(self, *args: str, check: bool = True, limit: float = 300) -> subprocess.CompletedProcess[str]:
        """One verb of `deploy/local` for this platform."""
        done = subprocess.run(
            [*COMMAND, *args],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=limit,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"deploy/local {' '.join(args)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def up(self) -> str:
        # One at a time of this checkout: two that pick their ports at the same moment may pick the same.
        starting = os.open(CHECKOUT / "deploy", os.O_RDONLY)
        try:
            fcntl.flock(starting, fcntl.LOCK_EX)
            return self.command("up", "--port", str(self.port)).stdout
        finally:
            os.close(starting)

    def processes(self) -> dict[str, dict[str, Any]]:
        """What `make status FORMAT=json` tells, by name; found out in this process, as those who wait ask often."""
        instance = Instance(self.state)
        instance.load_ports()
        return {row["name"]: row for row in status.rows(instance)}

    def kill(self, name: str) -> int:
        """`kill -9` one process; gives back the id it had."""
        pid = int(self.processes()[name]["pid"])
        os.kill(pid, signal.SIGKILL)
        return pid

    def wait_ready(self, name: str | None = None, limit: float = 60) -> None:
        """Until this process, or every one, is ready."""
        deadline = time.monotonic() + limit
        while waiting := [n for n, row in self.processes().items() if not row["ready"] and name in (None, n)]:
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready after {limit} s: {', '.join(waiting)}")
            time.sleep(0.2)

    @contextmanager
    def connected(self, database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
        """A connection to `web` or `files`, as the owner of that database."""
        secrets = json.loads((self.state / "secrets.json").read_text())
        port = json.loads((self.state / "ports.json").read_text())["postgres"]
        url = f"postgresql://ochaq_{database}:{secrets[f'postgres_{database}']}@127.0.0.1:{port}/ochaq_{database}"
        with psycopg.connect(url, autocommit=True) as connection:
            yield connection

    def sql(self, database: str, query: str) -> list[tuple[Any, ...]]:
        """Rows of a query on `web` or `files`."""
        with self.connected(database) as connection:
            cursor = connection.execute(query.encode())
            return list(cursor.fetchall()) if cursor.description else []


@contextmanager
def started(settings: Mapping[str, str] | None = None) -> Iterator[Platform]:
    """Start a platform, and leave nothing of it behind. `settings` reach every process, as `make up` takes them."""
    home = fresh_directory("ochaq-platform-")
    running = Platform(home / "local", ports.suggest(FIRST_PORT), settings or {})
    try:
        running.up()
        yield running
    finally:
        running.command("reset", "--yes", check=False)
        remove_directory(home)
