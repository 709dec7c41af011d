"""Web on a PostgreSQL of a test's own: its environment, its processes and somebody signed in at it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from failing_database import wait_ready
from free_ports import free_port

PASSWORD = "salt and pepper 42"
PUBLIC = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Process:
    """One that runs: `serve` or `consume`."""

    popen: subprocess.Popen[bytes]
    url: str
    log: Path


def prepared(environment: Mapping[str, str], database: str, amqp: str) -> dict[str, str]:
    """The environment of web on this database, which has every table and the demo school after this."""
    house = {
        **environment,
        "OCHAQ_MODE": "test",
        "OCHAQ_DEMO_PASSWORD": PASSWORD,
        "OCHAQ_PUBLIC_URL": PUBLIC,
        "OCHAQ_DATABASE_URL": database,
        "OCHAQ_AMQP_URL": amqp,
    }
    for command in ("migrate", "seed"):
        subprocess.run([sys.executable, "-m", "ochaq_web", command], env=house, check=True, timeout=90)
    return house


@contextmanager
def running(house: Mapping[str, str], folder: Path, *commands: str) -> Iterator[dict[str, Process]]:
    """These processes, all ready, and known to the operators' page as those of the house."""
    ports = {command: free_port() for command in commands}
    status = folder / "processes.json"
    rows = [{"name": f"web-{name}", "host": "127.0.0.1", "port": ports[name], "kind": "service"} for name in commands]
    status.write_text(json.dumps(rows))
    with ExitStack() as ends:
        found = {}
        for command, port in ports.items():
            settings = {**house, "OCHAQ_BIND_PORT": str(port), "OCHAQ_STATUS_FILE": str(status)}
            found[command] = ends.enter_context(_started(command, settings, folder / command))
        for process in found.values():
            wait_ready(process.url, 200)
        yield found


@contextmanager
def _started(command: str, settings: Mapping[str, str], log: Path) -> Iterator[Process]:
    with log.open("wb") as out:
        words = [sys.executable, "-m", "ochaq_web", command]
        popen = subprocess.Popen(words, env=settings, stdout=out, stderr=out)
    try:
        yield Process(popen, f"http://127.0.0.1:{settings['OCHAQ_BIND_PORT']}", log)
    finally:
        popen.send_signal(signal.SIGTERM)
        popen.wait(30)


@contextmanager
def signed_in(url: str, name: str) -> Iterator[httpx.Client]:
    """A browser's session of one of the demo school."""
    with httpx.Client(base_url=url, trust_env=False, timeout=20, headers={"Accept": "text/html"}) as browser:
        browser.get("/accounts/login/")
        form = {"username": f"{name}@ochaq.localhost", "password": PASSWORD}
        answer = browser.post(
            "/accounts/login/",
            data={**form, "csrfmiddlewaretoken": browser.cookies["csrftoken"]},
            headers={"Origin": PUBLIC},
        )
        assert answer.status_code == 302
        yield browser
