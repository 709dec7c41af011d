"""One recipe at the bench."""

from __future__ import annotations

import pytest
from ochaq_browser import Campus, Tab
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(120)]

MENEMEN = "/recipes/menemen-eggs-with-tomato-and-pepper/"  # for two: 3/4 tsp salt, 1/2 tsp red pepper flakes, 4 eggs


@pytest.fixture
def page(campus: Campus, tabs: list[Tab]) -> Page:
    tabs.append(campus.tab(permissions=["clipboard-read", "clipboard-write"]))
    return tabs[0].open(MENEMEN)


def amounts(page: Page) -> list[str]:
    return [text.replace("⁄", "/").strip() for text in page.locator(".amount").all_inner_texts()]


def test_amounts_follow_the_servings_as_exact_fractions(page: Page) -> None:
    assert amounts(page)[:5] == ["4", "3", "2", "2", "3/4"]
    page.click("[data-more-servings]")
    assert page.inner_text("[data-servings-now]") == "3 servings"
    assert amounts(page)[:5] == ["6", "4 1/2", "3", "3", "1 1/8"]
    page.click("[data-fewer]")
    page.click("[data-fewer]")
    assert amounts(page)[:5] == ["2", "1 1/2", "1", "1", "3/8"]
    assert page.locator("[data-fewer]").is_disabled()


def test_servings_and_ticked_steps_survive_a_reload(page: Page) -> None:
    page.click("[data-more-servings]")
    page.locator(".step-tick").nth(1).check()
    page.reload()
    assert page.inner_text("[data-servings-now]") == "3 servings"
    assert [box.is_checked() for box in page.locator(".step-tick").all()][:3] == [False, True, False]
    page.click("[data-untick]")
    assert page.locator(".step-tick:checked").count() == 0


def test_a_timer_starts_from_the_text_and_survives_a_reload(page: Page) -> None:
    page.locator(".timer-start").first.click()
    assert page.locator(".step-tick:checked").count() == 0
    page.reload()
    left = page.locator(".timer strong").inner_text()
    assert left.startswith(("3:", "4:00"))
    page.locator(".timer button").click()
    assert page.locator(".timer").count() == 0


def test_ingredients_are_copied_as_shown(page: Page) -> None:
    page.click("[data-more-servings]")
    page.click("[data-copy]")
    page.wait_for_selector(".toast")
    lines = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert lines[1] == "3 servings"
    assert "1 1/8 tsp salt" in lines


def test_paper_gets_the_recipe_and_not_the_frame(page: Page) -> None:
    page.emulate_media(media="print")
    assert not page.locator("header.header").is_visible()
    assert not page.locator("[data-print]").is_visible()
    assert page.locator(".steps").is_visible()
