"""The ground that faults happen on: one platform in mode test, with failpoints and without limits of rate."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from campus import Campus, get
from ochaq_platform import Platform, started
from ochaq_shared import failpoints
from run_directories import fresh_directory, remove_directory

from rig.broker import Broker
from rig.databases import Databases
from rig.processes import Processes, wait_for
from rig.settling import pending

KINDS = ("test.noop", "test.steps", "students.generate")
SETTLE_SECONDS = 90.0


@dataclass
class Ground:
    """Everything a fault needs to know of its platform."""

    platform: Platform
    points: Path

    @cached_property
    def campus(self) -> Campus:
        return Campus.of(self.platform.state)

    @cached_property
    def processes(self) -> Processes:
        return Processes(self.platform)

    @cached_property
    def databases(self) -> Databases:
        return Databases(self.platform)

    @cached_property
    def broker(self) -> Broker:
        return Broker(self.processes.instance)

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of jobs for the ledger; those for tests are known in mode test only."""
        manager = self.campus.client("manager")
        return tuple(kind for kind in KINDS if get(manager, "/api/v1/jobs/", params={"kind": kind}).status_code == 200)

    def arm(self, rules: Mapping[str, Mapping[str, Any]]) -> None:
        """Put these failpoints into every process, in place of all others."""
        failpoints.write(self.points, {name: dict(rule) for name, rule in rules.items()})

    def fired(self, name: str) -> int:
        return failpoints.fired(self.points, name)

    def settle(self, seconds: float = SETTLE_SECONDS) -> None:
        """Until the platform is whole and quiet again, whatever the fault before did to it."""
        self.arm({})
        deadline = time.monotonic() + seconds
        self.processes.wait_ready(seconds)
        left = max(1.0, deadline - time.monotonic())
        wait_for(lambda: not pending(self.databases), left, lambda: f"quiet, without {pending(self.databases)}", 0.2)
        self.broker.clear()
        if not self.search_is_true():
            self._rebuild_search(left)

    def search_is_true(self) -> bool:
        """Whether the index holds as many students as the database."""
        wanted = self.databases.number("web", "SELECT count(*) FROM student")
        answer = self.campus.client("manager").get("/api/v1/search/students/stats")
        return bool(answer.status_code == 200 and answer.json()["documents"] == wanted)

    def _rebuild_search(self, seconds: float) -> None:
        """What one fault took from the index must not be found again after the next."""
        self.campus.client("manager").post("/api/v1/jobs/", json={"kind": "search.rebuild", "params": {}})
        wait_for(self.search_is_true, seconds, "a rebuilt index", 0.2)

    def ops(self) -> str:
        """The page `/ops/` as an operator sees it now; raises httpx's errors, or AssertionError when it is no page."""
        answer = self._operator.get("/ops/", timeout=15)
        if answer.status_code != 200:
            raise AssertionError(f"/ops/ answered {answer.status_code}")
        return answer.text

    def ops_shows(self, *words: str) -> bool:
        """Whether the page shows one of these; False while it cannot be had."""
        try:
            page = self.ops()
        except (httpx.HTTPError, AssertionError):
            return False
        return any(word in page for word in words)

    def close(self) -> None:
        """Let go of every connection that was opened here."""
        for name in ("campus", "_operator"):
            if name in vars(self):
                vars(self)[name].close()

    @cached_property
    def _operator(self) -> httpx.Client:
        client = httpx.Client(base_url=self.campus.url, trust_env=False, follow_redirects=True)
        client.get("/accounts/login/").raise_for_status()
        form = {
            "username": self.campus.users["operator"],
            "password": self.campus.password,
            "csrfmiddlewaretoken": client.cookies["csrftoken"],
        }
        answer = client.post("/accounts/login/", data=form, headers={"Origin": self.campus.url})
        answer.raise_for_status()
        return client


@contextmanager
def ground() -> Iterator[Ground]:
    """A platform for faults; leaves nothing behind."""
    home = fresh_directory("ochaq-faults-")
    points = home / "failpoints.json"
    try:
        with started({"OCHAQ_MODE": "test", "OCHAQ_FAILPOINTS_FILE": str(points)}) as platform:
            found = Ground(platform, points)
            try:
                # Signed in now: while something is broken it may be too late.
                found.ops()
                yield found
            finally:
                found.close()
    finally:
        remove_directory(home)
