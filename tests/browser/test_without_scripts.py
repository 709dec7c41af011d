"""The pages read and their forms work where no script runs."""

from __future__ import annotations

from pathlib import Path

import pytest
from ochaq_browser import Campus, Tab
from playwright.sync_api import Page

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(120)]


@pytest.fixture
def page(campus: Campus, tabs: list[Tab]) -> Page:
    tabs.append(campus.tab("manager", java_script_enabled=False))
    return tabs[0].page


def test_recipes_are_found_by_the_form(page: Page) -> None:
    page.goto("/")
    page.fill("#finder-input", "ayran")
    page.press("#finder-input", "Enter")
    assert page.locator(".dish").count() >= 1
    page.locator(".dish-link").first.click()
    assert page.locator(".steps li").count() >= 1


def test_students_are_found_by_a_prefix(page: Page) -> None:
    page.goto("/students/?q=student0")
    assert page.locator("#student-rows tr").count() >= 1
    page.click("th >> text=Age")
    assert page.locator("th[aria-sort]").count() == 1


def test_the_job_starts_and_shows_its_state(page: Page) -> None:
    page.goto("/students/test/")
    page.locator("input[name=count][value='100']").check()
    page.click("main form button[type=submit]")
    assert page.url.endswith("/students/test/")
    assert "100 demo students" in page.inner_text("[data-live-region=job]")


def test_a_job_is_cancelled_and_asked_for_again_with_a_reason_on_its_own_page(page: Page) -> None:
    page.goto("/students/test/")
    page.locator("input[name=count][value='100000']").check()
    page.click("main form button[type=submit]")
    page.click("[data-live-region=job] h3 a")
    page.fill("#cancel-reason", "too many")
    page.click("main form.reasoned button[type=submit]")
    assert "/result/" in page.url and "too many" in page.inner_text("[data-live-region=story]")
    for _ in range(60):
        if page.locator("#retry-reason").count():
            break
        page.wait_for_timeout(250)
        page.reload()
    assert "Cancelled" in page.inner_text("[data-live-region=story]")


def test_an_operator_finds_jobs_and_says_why(campus: Campus, tabs: list[Tab], places: dict[str, str]) -> None:
    tabs.append(campus.tab("operator", java_script_enabled=False))
    page = tabs[0].page
    page.goto("/ops/jobs/")
    page.fill("#id_text", places["job"])
    page.click("form[action='/ops/jobs/#list'] button")
    assert page.locator(".jobs-table tbody tr").count() == 1
    page.check(f"#tick-{places['job']}")
    page.fill("#bulk-reason", "only to try")
    page.click("button[value=redrive]")
    assert "1 was not in a state for that." in page.inner_text(".notes")


def test_a_schedule_is_written_switched_off_and_removed(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab("operator", java_script_enabled=False))
    page = tabs[0].page
    page.goto("/ops/schedules/new/")
    page.fill("#id_title", "By hand")
    page.fill("#id_name", "by-hand")
    page.select_option("#id_kind", "maintenance.sweep")
    page.fill("#id_cron", "61 * * * *")
    page.click("text=Show the next times")
    assert page.locator("#id_cron_error").count() == 1 and page.input_value("#id_title") == "By hand"
    page.fill("#id_cron", "15 4 * * *")
    page.click("text=Show the next times")
    assert page.locator(".times-list li").count() == 5
    page.click("main form.form button >> text=Save")
    card = page.locator("article", has_text="By hand")
    card.get_by_text("Switch off").click()
    assert card.locator("text=off").count() == 1
    card.get_by_text("Change").click()
    page.click("#remove summary")
    page.click("text=Yes, remove it for good")
    assert page.locator("article", has_text="By hand").count() == 0


def test_a_file_goes_up_and_its_folder_is_shown(page: Page, tmp_path: Path) -> None:
    page.goto("/files/")
    plain = tmp_path / "plain.txt"
    plain.write_text("sent by a plain form")
    page.set_input_files("#upload-file", plain)
    page.fill("#upload-folder", "plain/forms")
    page.click("[data-upload-button]")
    assert "folder=plain" in page.url
    assert "plain.txt" in page.inner_text("main")


def test_the_language_switches_and_stays(page: Page) -> None:
    page.goto("/")
    page.click(".languages button[value=tr]")
    assert page.locator("html").get_attribute("lang") == "tr"
    page.goto("/files/")
    assert page.locator("h1").inner_text() == "Dosyalar"
    page.click(".languages button[value=en]")
    assert page.locator("html").get_attribute("lang") == "en"


def test_a_wrong_password_keeps_what_was_typed_and_sums_up_the_error(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab())
    page = tabs[0].open("/accounts/login/")
    page.fill("#id_username", "manager@ochaq.localhost")
    page.fill("#id_password", "wrong")
    page.click("main button[type=submit]")
    page.wait_for_selector("[data-error-summary]")
    assert page.input_value("#id_username") == "manager@ochaq.localhost"
    assert page.evaluate("document.activeElement.matches('[data-error-summary]')")
