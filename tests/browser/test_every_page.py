"""Every page in four widths and both themes: sound, accessible, quiet, and photographed."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from ochaq_browser import THEMES, WIDTHS, Campus, Tab
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(300)]

PAGES = {
    "recipes": (None, "/"),
    "recipes-found-none": (None, "/?q=zzzz"),
    "recipe": (None, "/recipes/menemen-eggs-with-tomato-and-pepper/"),
    "login": (None, "/accounts/login/"),
    "password-reset": (None, "/accounts/reset/"),
    "live-signed-out": (None, "/ws/"),
    "students": ("manager", "/students/"),
    "students-found-none": ("manager", "/students/?age_min=119"),
    "students-test": ("manager", "/students/test/"),
    "jobs": ("manager", "/result/"),
    "jobs-none": ("student", "/result/"),
    "job": ("manager", "/result/{job}/"),
    "job-of-somebody": ("operator", "/result/{job}/"),
    "files": ("manager", "/files/"),
    "files-folder": ("manager", "/files/?folder=kitchen/2026"),
    "live": ("manager", "/ws/"),
    "profile": ("manager", "/accounts/profile/"),
    "password-change": ("manager", "/accounts/password/"),
    "ops": ("operator", "/ops/"),
    "ops-manager": ("manager", "/ops/"),
    "ops-jobs": ("operator", "/ops/jobs/?period=hour"),
    "ops-jobs-none": ("operator", "/ops/jobs/?owner=nobody@example.com"),
    "ops-schedules": ("operator", "/ops/schedules/"),
    "ops-schedule": ("operator", "/ops/schedules/hourly-sweep/"),
    "ops-schedule-new": ("operator", "/ops/schedules/new/"),
    "ops-dead-letters": ("operator", "/ops/dead-letters/"),
    "ops-events": ("operator", "/ops/events/"),
    "ops-lab": ("manager", "/ops/lab/"),
    "styleguide": ("operator", "/ops/styleguide/"),
}
PROBLEMS = {"not-found": (None, "/no/such/page/"), "forbidden": ("student", "/students/")}
SERIOUS = {"serious", "critical"}
# The narrowest layout and the usual desk: the other two repeat their elements.
AXE_WIDTHS = (360, 1280)
OTHER_WIDTHS = tuple(width for width in WIDTHS if width not in AXE_WIDTHS)
SKELETON = """() => ({
  h1: document.querySelectorAll("h1").length, title: document.title, lang: document.documentElement.lang,
  main: document.querySelectorAll("main").length, skip: document.querySelector("a").hash,
  sideways: document.documentElement.scrollWidth - innerWidth, shift: window.__shift,
  dark: matchMedia("(prefers-color-scheme: dark)").matches })"""
AXE = Axe().axe_script
AXE_BEGINS = "() => { window.__axe = axe.run({resultTypes: ['violations']}); }"


def begin_axe(page: Page) -> None:
    """Have axe look at the page as it is now; several pages are looked at side by side."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE)
    page.evaluate(AXE_BEGINS)


def findings(page: Page) -> list[str]:
    """What axe calls serious or critical, and where."""
    violations = page.evaluate("() => window.__axe.then((seen) => seen.violations)")
    found = [rule for rule in violations if rule["impact"] in SERIOUS]
    return [f"{rule['id']}: {node['target']}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize("widths", [AXE_WIDTHS, pytest.param(OTHER_WIDTHS, marks=pytest.mark.long)], ids=str)
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_sound_in_every_width_and_theme(
    campus: Campus, tabs: list[Tab], places: dict[str, str], screens: Path, name: str, widths: tuple[int, ...]
) -> None:
    """Each width is loaded in a theme of its own and then put into the other one: only style sheets know the theme."""
    role, path = PAGES[name][0], PAGES[name][1].format(**places)
    for width, theme in zip(widths, THEMES, strict=True):
        tabs.append(campus.tab(role, width, theme))
        tabs[-1].page.goto(path, wait_until="commit")
    for themes in (THEMES, THEMES[::-1]):
        looks = list(zip(tabs, widths, themes, strict=True))
        for tab, width, theme in looks:
            show(tab, screens / f"{name}-{width}-{theme}.jpeg", theme)
            if width in AXE_WIDTHS:
                begin_axe(tab.page)
        for tab, width, theme in looks:
            assert width not in AXE_WIDTHS or findings(tab.page) == [], f"{name} {width} {theme}"
            check(tab, f"{name} {width} {theme}", dark=theme == "dark")


def show(tab: Tab, picture: Path, theme: str) -> None:
    """Wait until the page is at rest, put it into this theme and take its picture."""
    tab.page.wait_for_load_state("networkidle")
    tab.page.emulate_media(color_scheme=theme)
    tab.page.screenshot(path=picture, full_page=True, quality=80)


def check(tab: Tab, where: str, *, dark: bool) -> None:
    seen = tab.page.evaluate(SKELETON)
    where = f"{where}: {seen}"
    assert seen["dark"] is dark, where
    assert seen["h1"] == 1 and seen["main"] == 1, where
    assert seen["title"].endswith("Ochaq") and not seen["title"].startswith("Ochaq"), where
    assert seen["skip"] == "#main" and seen["lang"] == "en", where
    assert seen["sideways"] <= 0, where
    assert seen["shift"] <= 0.05, where
    assert tab.violations() == [] and tab.complaints == [], f"{where} {tab.violations()} {tab.complaints}"


@pytest.mark.parametrize("name", PROBLEMS)
def test_a_problem_is_a_page_with_a_number_to_tell(campus: Campus, screens: Path, name: str) -> None:
    role, path = PROBLEMS[name]
    tab = campus.tab(role, 360)
    page = tab.open(path)
    page.screenshot(path=screens / f"{name}.png")
    assert page.locator("h1").count() == 1
    assert page.locator("main code").inner_text()
    begin_axe(page)
    assert findings(page) == []
    assert tab.violations() == []
    tab.close()


def test_turkish_pages_are_turkish(campus: Campus, screens: Path) -> None:
    tab = campus.tab("manager", 360)
    tab.page.context.add_cookies([{"name": "language", "value": "tr", "url": campus.url}])
    page = tab.open("/students/test/")
    page.screenshot(path=screens / "students-test-turkish.png", full_page=True)
    assert page.evaluate("document.documentElement.lang") == "tr"
    assert "öğrenci" in page.locator("h1").inner_text()
    begin_axe(page)
    assert findings(page) == [] and tab.complaints == []
    tab.close()
