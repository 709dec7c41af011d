"""Debian's Chromium for tests and pictures: signed-in tabs that remember everything the browser complained about."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

CHROMIUM = "/usr/bin/chromium"
WIDTHS = {360: 740, 768: 1024, 1280: 900, 1920: 1080}
THEMES = ("light", "dark")
# Runs before any script of the page, so that no violation and no jump of the layout is missed.
WATCH = """
window.__violations = [];
window.__shift = 0;
document.addEventListener("securitypolicyviolation", (event) =>
  window.__violations.push(`${event.violatedDirective} ${event.blockedURI}`));
new PerformanceObserver((list) => {
  for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.__shift += entry.value;
}).observe({type: "layout-shift", buffered: true});
"""

TOKEN = """document.querySelector('meta[name="csrf-token"]').content"""


@contextmanager
def chromium() -> Iterator[Browser]:
    """One browser. Root may only start it without its sandbox."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@dataclass
class Campus:
    """Whom the tabs belong to, and where they look."""

    browser: Browser
    url: str
    password: str
    signed_in: dict[str, Any] = field(default_factory=dict)

    def context(self, role: str | None = None, **options: Any) -> BrowserContext:
        """A fresh browser profile, signed in as `role` (one sign-in per role and run)."""
        if role and role not in self.signed_in:
            self.signed_in[role] = self._sign_in(role)
        options = {"reduced_motion": "reduce", "storage_state": self.signed_in.get(role or ""), **options}
        context = self.browser.new_context(base_url=self.url, **options)
        context.add_init_script(WATCH)
        return context

    def tab(self, role: str | None = None, width: int = 1280, theme: str = "light", **options: Any) -> Tab:
        viewport = {"width": width, "height": WIDTHS.get(width, 900)}
        return Tab(self.context(role, viewport=viewport, color_scheme=theme, **options).new_page())

    def _sign_in(self, role: str) -> Any:
        context = self.browser.new_context(base_url=self.url)
        page = context.new_page()
        page.goto("/accounts/login/")
        page.fill("#id_username", f"{role}@ochaq.localhost")
        page.fill("#id_password", self.password)
        page.click("main button[type=submit]")
        page.wait_for_url(f"{self.url}/")
        state = context.storage_state()
        context.close()
        return state


class Tab:
    """A page and what went wrong on it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("console", lambda said: self._note(said.text, said.type))
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught {error}"))

    def _note(self, text: str, kind: str) -> None:
        if kind in ("error", "warning"):
            self.complaints.append(text)

    def open(self, path: str) -> Page:
        self.page.goto(path)
        self.page.wait_for_load_state("networkidle")
        return self.page

    def post(self, path: str, body: dict[str, Any], token: str = "") -> Any:
        """What an API answers to this page's own session; `token` where the page now open has none."""
        headers = {
            "X-CSRFToken": token or self.page.evaluate(TOKEN),
            "Origin": "{0.scheme}://{0.netloc}".format(urlsplit(self.page.url)),
        }
        return self.page.request.post(path, data=body, headers=headers).json()

    def violations(self) -> list[str]:
        """What the content security policy stopped."""
        return list(self.page.evaluate("window.__violations"))

    def close(self) -> None:
        self.page.context.close()
