"""The two readable descriptions of the API load from our own server alone, and one of them can be tried."""

from __future__ import annotations

import pytest
from ochaq_browser import Campus

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(120)]


def test_redoc_shows_the_doors_of_all_three_services_without_a_complaint(campus: Campus) -> None:
    tab = campus.tab()
    page = tab.open("/redoc/")
    for operation in ("recipes_list", "files_list_files", "search_search_students"):
        page.wait_for_selector(f'[id*="operation/{operation}"]', state="attached")
    assert tab.complaints == []
    assert tab.violations() == []
    tab.close()


def test_swagger_can_be_tried_without_a_complaint(campus: Campus) -> None:
    tab = campus.tab()
    page = tab.open("/swagger/")
    door = page.locator(".opblock-get", has=page.locator('[data-path="/api/v1/foods/"]'))
    door.locator(".opblock-summary-control").click()
    door.locator(".try-out__btn").click()
    door.locator(".execute").click()
    status = door.locator(".live-responses-table tbody .response-col_status").first
    status.wait_for()
    assert status.inner_text().startswith("200")
    assert tab.complaints == []
    assert tab.violations() == []
    tab.close()
