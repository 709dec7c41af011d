"""What a page may weigh, as it comes through the gateway."""

from __future__ import annotations

import gzip

import pytest
from ochaq_browser import Campus, Tab

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(120)]

RECIPE = "/recipes/menemen-eggs-with-tomato-and-pepper/"
HEAVY_PAGES = [
    (None, "/"),
    (None, RECIPE),
    ("manager", "/students/"),
    ("manager", "/files/"),
    ("operator", "/ops/jobs/"),
]


def weights(tab: Tab, path: str) -> dict[str, int]:
    """Compressed bytes of scripts, styles and the page itself."""
    found = {"script": 0, "stylesheet": 0, "document": 0}

    def weigh(response) -> None:
        kind = response.request.resource_type
        if kind in found and response.ok:
            found[kind] += len(gzip.compress(response.body(), 6))

    tab.page.on("response", weigh)
    tab.open(path)
    return found


@pytest.mark.parametrize(("role", "path"), HEAVY_PAGES)
def test_a_page_stays_within_its_budget(campus: Campus, tabs: list[Tab], role: str | None, path: str) -> None:
    tabs.append(campus.tab(role))
    weight = weights(tabs[0], path)
    assert 0 < weight["script"] <= 60_000, weight
    assert 0 < weight["stylesheet"] <= 40_000, weight
    assert 0 < weight["document"] <= 14_000, weight
