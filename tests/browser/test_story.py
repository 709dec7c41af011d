"""The main story as a manager lives it, with a picture of each step."""

from __future__ import annotations

import uuid
from pathlib import Path

import pytest
from ochaq_browser import Campus, Tab

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(240)]

DONE = "[data-live-region=job] [data-job-status=succeeded]"


def test_a_manager_starts_the_job_finds_a_student_and_keeps_a_photo(
    campus: Campus, tabs: list[Tab], screens: Path, tmp_path: Path
) -> None:
    watching = campus.tab("manager")
    working = campus.tab("manager")
    tabs += [watching, working]
    table = watching.open("/students/")

    page = working.open("/students/test/")
    page.get_by_text("10,000", exact=True).first.click()
    with page.expect_navigation():
        page.click("main form button[type=submit]")
    page.screenshot(path=screens / "story-1-started.png")
    page.wait_for_selector(DONE, timeout=90_000)
    page.wait_for_selector(".toast.success")
    page.click("[data-tray] summary")
    page.screenshot(path=screens / "story-2-done.png")
    assert "10,000" in page.inner_text(DONE)

    table.wait_for_selector("[data-fresh]:not([hidden])", timeout=30_000)
    table.screenshot(path=screens / "story-3-new-rows-wait.png")
    table.click("[data-fresh]")
    table.wait_for_selector("[data-fresh][hidden]", state="attached")
    assert "10,0" in table.inner_text("[data-total]")

    last_name = table.locator("#student-rows tr th strong").nth(5).inner_text()
    misspelt = last_name[:2] + last_name[1] + last_name[2:]
    table.locator("#student-q").press_sequentially(misspelt, delay=30)
    table.wait_for_selector("#student-rows mark", timeout=15_000)
    table.screenshot(path=screens / "story-4-found.png")
    assert last_name in table.inner_text("#student-rows")

    page.goto("/files/?folder=story")
    photo = tmp_path / "photo.txt"
    photo.write_text(f"not quite a photo {uuid.uuid4()}\n" * 50)
    page.set_input_files("#upload-file", photo)
    page.wait_for_selector(".upload.done")
    copy = tmp_path / "copy.txt"
    copy.write_bytes(photo.read_bytes())
    page.set_input_files("#upload-file", copy)
    page.wait_for_selector(".upload.twin")
    page.screenshot(path=screens / "story-5-files.png", full_page=True)
    assert "story/photo.txt" in page.inner_text(".upload.twin")
    with page.expect_download() as download:
        page.click("text=Download as zip")
    assert download.value.path().read_bytes()[:2] == b"PK"

    for tab in tabs:
        assert tab.complaints == []
        assert tab.violations() == []


def test_the_header_finds_recipes_and_students_while_typing(campus: Campus, tabs: list[Tab], screens: Path) -> None:
    tabs.append(campus.tab("manager"))
    page = tabs[0].open("/")
    page.keyboard.press("/")
    page.keyboard.type("ayran", delay=30)
    page.wait_for_selector(".finder-answer")
    page.screenshot(path=screens / "finder.png")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url("**/recipes/ayran**")


def test_a_name_with_markup_is_shown_as_text(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab("manager"))
    page = tabs[0].open("/students/")
    hostile = {"first_name": "<img src=x onerror=alert(1)>", "last_name": "Angledbracket", "age": 20}
    assert tabs[0].post("/api/v1/students/", {**hostile, "email": "angled@example.com"})["id"]
    found = """async () => (await (await fetch("/api/v1/search/students?q=Angledbracket")).json()).total > 0"""
    page.wait_for_function(found, timeout=20_000)
    page.fill("#student-q", "Angledbracket")
    page.wait_for_selector("#student-rows mark")
    assert "<img src=x" in page.inner_text("#student-rows")
    assert page.locator("#student-rows img").count() == 0
    assert tabs[0].violations() == []
