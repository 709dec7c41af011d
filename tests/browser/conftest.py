"""A browser, and the campus it looks at: a platform with something to see in it."""

from __future__ import annotations

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
        client.post("/api/v1/jobs/", json=job).raise_for_status()
        for name, content in (("menu.txt", b"soup, bread, tea\n" * 40), ("notes.txt", b"salt the water\n" * 10)):
            sent = {"files": {"file": (name, content)}, "data": {"folder": "kitchen/2026"}}
            client.post("/api/v1/files/", **sent).raise_for_status()
    return platform


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
