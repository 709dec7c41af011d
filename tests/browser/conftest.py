"""A browser, and the campus it looks at: a platform with something to see in it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from ochaq_browser import Campus, Tab, chromium
from ochaq_servers import Platform

SCREENS = Path(__file__).parents[2] / "artifacts" / "screens"


@pytest.fixture(scope="session")
def school(platform: Platform) -> Platform:
    """The platform with a finished job, students and two files, so that pages have something to show."""
    with httpx.Client(base_url=platform.url, timeout=30, trust_env=False) as client:
        who = {"username": "manager@ochaq.localhost", "password": platform.demo["password"]}
        client.headers["Authorization"] = (
            f"Bearer {client.post('/api/token/', json=who).raise_for_status().json()['access']}"
        )
        job = {"kind": "students.generate", "params": {"count": 500, "replace": True}}
        made = client.post("/api/v1/jobs/", json=job).raise_for_status().json()
        for name, content in (("menu.txt", b"soup, bread, tea\n" * 40), ("notes.txt", b"salt the water\n" * 10)):
            sent = {"files": {"file": (name, content)}, "data": {"folder": "kitchen/2026"}}
            client.post("/api/v1/files/", **sent).raise_for_status()
        deadline = time.monotonic() + 60
        while not client.get(f"/api/v1/jobs/{made['id']}/").json()["finished_at"] and time.monotonic() < deadline:
            time.sleep(0.2)
    return platform


@pytest.fixture(scope="session")
def places(school: Platform) -> dict[str, str]:
    """What addresses of pages are made of that are not known before: the id of the manager's oldest job."""
    rows = school.sql("web", "SELECT id FROM job WHERE kind = 'students.generate' ORDER BY id LIMIT 1")
    return {"job": str(rows[0][0])}


@pytest.fixture(scope="module")
def campus(school: Platform) -> Iterator[Campus]:
    """A browser per module: Playwright's loop must be gone before the next asynchronous test runs."""
    with chromium() as browser:
        yield Campus(browser, school.url, school.demo["password"])


@pytest.fixture
def tabs() -> Iterator[list[Tab]]:
    """Tabs that a test puts here are closed at its end."""
    opened: list[Tab] = []
    yield opened
    for tab in opened:
        tab.close()


@pytest.fixture(scope="session")
def screens() -> Path:
    SCREENS.mkdir(parents=True, exist_ok=True)
    return SCREENS
