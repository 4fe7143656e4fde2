"""A person's browser: what a page complains of, how it reads to a screen reader, in both themes, and on a phone."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, ConsoleMessage, Page, ViewportSize, expect, sync_playwright

from tests.support.debian import need

PACKAGE: Final = "chromium-headless-shell"
DESKTOP: Final = ViewportSize(width=1280, height=900)
PHONE: Final = ViewportSize(width=360, height=740)
_WATCH_POLICY: Final = """document.addEventListener("securitypolicyviolation",
  (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`));"""
_PATIENCE_MS: Final = 30_000
"""A busy machine may take its time; what is there soon is not waited for."""
_GRAVE: Final = ("serious", "critical")


class Tab:
    """One tab, and what the pages in it complain of."""

    def __init__(self, page: Page, url: str) -> None:
        """``url`` is that of the API."""
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.add_init_script(_WATCH_POLICY)
        page.on("console", self._hear)
        page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))

    def open(self, path: str) -> Page:
        """Go to a page of the dashboard."""
        self.page.goto(f"{self.url}{path}")
        return self.page

    def sign_in(self, token: str, onwards: str = "/ui/") -> Page:
        """Sign in by the form."""
        self.open(f"/ui/sign-in?next={onwards}")
        self.page.get_by_label("API token").fill(token)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.url}{onwards}")
        return self.page

    def check(self) -> None:
        """Fail when the page complains, bars somebody, or does not fit, in either theme or on a phone."""
        assert self.complaints == []
        for theme in ("light", "dark"):
            self.page.emulate_media(color_scheme=theme)
            assert find_barriers(self.page) == [], theme
        self.page.set_viewport_size(PHONE)
        width = self.page.evaluate("document.documentElement.scrollWidth")
        wide = self.page.evaluate(_FIND_WIDE)
        self.page.set_viewport_size(DESKTOP)
        self.page.emulate_media(color_scheme="light")
        assert width <= PHONE["width"], wide

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")


_FIND_WIDE: Final = """[...document.querySelectorAll("body *")]
  .filter((one) => one.getBoundingClientRect().right > innerWidth && !one.closest(".table *, .json *, .hidden"))
  .map((one) => one.outerHTML.slice(0, 120))"""


def find_barriers(page: Page) -> list[str]:
    """Return what axe-core finds serious or critical: the rule, and where."""
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{one['id']}: {node['html'][:200]} {node['failureSummary']}"
        for one in found
        if one["impact"] in _GRAVE
        for node in one["nodes"]
    ]


@contextmanager
def running_browser() -> Iterator[Browser]:
    """Run Debian's browser without a window; skip or fail without it."""
    program = next(filter(None, map(shutil.which, (PACKAGE, "chromium"))), None)
    need(program, package=PACKAGE)
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        arguments = ["--disable-background-networking", "--disable-quic", "--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=program, args=arguments)
        yield browser
        browser.close()


@contextmanager
def opened_tab(browser: Browser, url: str, **options: Any) -> Iterator[Tab]:
    """Open a tab of a person of its own."""
    context = browser.new_context(viewport=DESKTOP, **options)
    context.set_default_timeout(_PATIENCE_MS)
    try:
        yield Tab(context.new_page(), url)
    finally:
        context.close()
