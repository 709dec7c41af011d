"""The progress of a job as a page shows it: it never goes back, and its end arrives whatever happened on the way."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from ochaq_browser import Campus, Tab
from playwright.sync_api import Page, WebSocketRoute

pytestmark = [pytest.mark.browser, pytest.mark.platform, pytest.mark.timeout(240)]

ROWS = 40_000  # a few seconds of work: time enough to cut a socket in the middle
DONE = "[data-live-region=job][data-job-status=succeeded]"
BAR = "document.querySelector('main progress')"
# Every pair of figures that the page paints is noted.
NOTE = """
window.__seen = [];
const note = () => {
  const bar = document.querySelector("main [data-progress]");
  if (bar) {
    const done = bar.querySelector("[data-progress-done]").textContent.replace(/\\D/g, "");
    const pair = [Number(bar.querySelector("progress").value), Number(done)];
    if (String(window.__seen.at(-1)) !== String(pair)) window.__seen.push(pair);
  }
  requestAnimationFrame(note);
};
requestAnimationFrame(note);
"""


class Sockets:
    """A page's sockets in the hands of the test: they may be held back, cut and spoken into."""

    def __init__(self, page: Page) -> None:
        self.opened: list[WebSocketRoute] = []
        self.held = False
        page.route_web_socket("**/ws/", self._open)

    def _open(self, socket: WebSocketRoute) -> None:
        self.opened.append(socket)
        if not self.held:
            socket.connect_to_server()

    def cut(self) -> None:
        self.opened[-1].close(code=1012)

    def say(self, job: dict[str, Any], done: int) -> None:
        """A tick that comes when the server has long said more."""
        data = {**job, "status": "running", "attempt": 1, "progress": {"done": done, "total": ROWS}}
        event = {"type": "event", "topic": "user", "id": None, "name": "jobs.job.progressed", "data": data}
        self.opened[-1].send(json.dumps(event))


Watch = Callable[..., tuple[Page, Sockets, dict[str, Any]]]


@pytest.fixture
def watch(campus: Campus, tabs: list[Tab]) -> Watch:
    """watch(where) → a page at `where`, its sockets, and a job that another tab of the same person has just started."""

    def opened(where: str, *, held: bool = False) -> tuple[Page, Sockets, dict[str, Any]]:
        tabs.extend([campus.tab("manager"), campus.tab("manager")])
        other, page = tabs[0], tabs[1].page
        other.open("/result/")
        page.add_init_script(NOTE)
        sockets = Sockets(page)
        sockets.held = held
        # With scripts and styles at hand the page is there while the job is still young.
        page.goto("/result/")
        wanted = {"kind": "students.generate", "params": {"count": ROWS, "replace": True}}
        job: dict[str, Any] = other.post("/api/v1/jobs/", wanted)
        page.goto(where.format(job=job["id"]))
        return page, sockets, job

    return opened


def at_least(page: Page, percent: int) -> None:
    """Until the bar shows so much, or the job is over."""
    page.wait_for_function(f"() => ({BAR}?.value ?? 100) >= {percent}", timeout=60_000)


def painted(page: Page) -> list[list[int]]:
    """[per cent, done] as the page showed them, in order."""
    pairs: list[list[int]] = page.evaluate("window.__seen")
    return pairs


def only_grows(pairs: list[list[int]]) -> bool:
    return all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(pairs))


def test_progress_never_goes_back_and_ends_although_the_socket_was_cut(watch: Watch) -> None:
    page, sockets, _job = watch("/result/{job}/")
    at_least(page, 5)
    sockets.cut()
    at_least(page, 30)
    sockets.cut()
    page.wait_for_selector(DONE, timeout=120_000)
    assert len(sockets.opened) >= 2
    seen = painted(page)
    assert len(seen) >= 3 and only_grows(seen), seen


def test_a_late_tick_takes_nothing_back_and_wakes_nothing_up(watch: Watch) -> None:
    page, sockets, job = watch("/result/{job}/")
    at_least(page, 10)
    sockets.say(job, 1)
    page.wait_for_selector(DONE, timeout=120_000)
    assert only_grows(painted(page)), painted(page)
    sockets.say(job, ROWS // 2)
    # What is said now is heard after the late tick, so the page has dealt with both when it tells of this one.
    sockets.say({**job, "id": "0" * 8, "kind": "students.purge"}, 1)
    page.wait_for_selector("[data-tray-count]:not([hidden])", state="attached")
    assert page.locator(DONE).count() == 1
    assert page.locator("main progress").count() == 0
    assert page.inner_text("[data-tray-count]") == "1"


def test_a_page_that_can_listen_only_after_the_end_shows_the_end(watch: Watch, tabs: list[Tab]) -> None:
    page, sockets, _job = watch("/result/{job}/", held=True)
    assert page.locator("main progress").count() == 1
    # Another tab has been told: whoever begins to listen now is not told again.
    tabs[0].page.wait_for_selector(".toast.success", timeout=120_000)
    assert page.locator("main progress").count() == 1
    sockets.held = False
    sockets.cut()
    page.wait_for_selector(DONE, timeout=30_000)


def test_a_reload_in_the_middle_goes_on_from_where_it_was(watch: Watch) -> None:
    page, _sockets, _job = watch("/result/{job}/")
    at_least(page, 20)
    before = painted(page)[-1]
    page.reload()
    page.wait_for_function("() => window.__seen.length > 0 || document.querySelector('[data-job-status=succeeded]')")
    after = painted(page)
    page.wait_for_selector(DONE, timeout=120_000)
    assert not after or after[0][1] >= before[1], (before, after)


def test_the_list_shows_the_end_in_the_card_of_the_job(watch: Watch) -> None:
    page, sockets, job = watch("/result/")
    at_least(page, 5)
    sockets.cut()
    page.wait_for_selector(f"[data-job='{job['id']}'][data-job-status=succeeded]", timeout=120_000)
