"""The word about the connection: told after two seconds, gone by itself, and nothing missed meanwhile."""

from __future__ import annotations

import time

import pytest
from ochaq_browser import TOKEN, Campus, Tab

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(180)]


def test_the_offline_notice_comes_and_leaves_by_itself(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab("manager"))
    page = tabs[0].page
    sockets = []
    page.route_web_socket("**/ws/", lambda socket: sockets.append((socket, socket.connect_to_server())))
    page.goto("/ws/")
    page.wait_for_selector("[data-live-state].good", timeout=15_000)
    assert page.locator("#offline").is_hidden()
    page.unroute_all()
    page.context.set_offline(True)
    sockets[0][0].close(code=1012)
    page.wait_for_selector("#offline:not([hidden])", timeout=10_000)
    page.context.set_offline(False)
    page.wait_for_selector("#offline", state="hidden", timeout=30_000)
    page.wait_for_selector("[data-live-state].good", timeout=10_000)


def test_what_ended_between_two_pages_is_told_on_the_second(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab("manager"))
    page = tabs[0].open("/ws/")
    page.wait_for_selector("[data-live-state].good", timeout=15_000)
    token = page.evaluate(TOKEN)
    # A page that does not look: the socket of the first one is closed and no other is opened.
    page.goto("/healthz")
    wanted = {"kind": "students.generate", "params": {"count": 50, "replace": True}}
    job = tabs[0].post("/api/v1/jobs/", wanted, token)["id"]
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if page.request.get(f"/api/v1/jobs/{job}/").json()["status"] == "succeeded":
            break
        time.sleep(0.2)
    page.goto("/")
    page.wait_for_selector(".toast.success", timeout=15_000)
    assert "50 demo students" in page.inner_text(".toast.success")


def test_the_theme_switch_is_remembered(campus: Campus, tabs: list[Tab]) -> None:
    tabs.append(campus.tab())
    page = tabs[0].open("/")
    page.click("[data-theme-switch]")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    page.goto("/accounts/login/")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
