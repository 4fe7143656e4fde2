"""The pictures of README and docs are of pages that are there: ``make pictures`` takes them anew."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, expect

from app.stack.stack import Stack
from app.store.db.database import connect
from tests.ecosystem.ui.browsing import Tab, opened_tab
from tests.ecosystem.ui.picture_world import PictureWorld, fill
from tests.support.ferryman import new_token
from tests.support.upstream import Upstream
from tests.support.workspace import Workspace

ROOT: Final = Path(__file__).parents[3]
IMAGES: Final = ROOT / "docs" / "images"
WIDTH: Final = 1120
MOST_BYTES: Final = 120_000


@pytest.fixture
def token(ferryman: Stack) -> str:
    return new_token(ferryman.database_url, environment="production", name="ada")


@pytest.fixture
def world(ferryman: Stack, workspace: Workspace, upstream: Upstream) -> Iterator[PictureWorld]:
    engine = connect(ferryman.database_url, pool_size=1)
    with engine.connect() as connection:
        world = fill(workspace.api, upstream, connection)
    engine.dispose()
    yield world
    world.gate.open()


@pytest.fixture
def tab(browser: Browser, ferryman: Stack) -> Iterator[Tab]:
    with opened_tab(browser, ferryman.api_url) as tab:
        yield tab


def take(page: Page, name: str, *, height: int) -> None:
    """Take a picture if that is what the test is run for; it has to be there, and shown by a document."""
    file = IMAGES / f"{name}.png"
    if os.environ.get("FERRYMAN_PICTURES"):
        IMAGES.mkdir(exist_ok=True)
        page.set_viewport_size(ViewportSize(width=WIDTH, height=height))
        page.screenshot(path=file, animations="disabled")
    assert 0 < file.stat().st_size <= MOST_BYTES, f"{name}: {file.stat().st_size:,} bytes"


def test_pictures_are_of_pages_that_are_there(tab: Tab, world: PictureWorld, token: str) -> None:
    page = tab.sign_in(token)
    expect(page.get_by_text("Accounts to be reconnected: 2")).to_be_visible()
    expect(page.get_by_text("Resources whose last run failed: 1")).to_be_visible()
    expect(page.locator("figcaption", has_text="completed with errors")).to_be_visible()
    take(page, "overview", height=580)
    tab.open(f"/ui/runs/{world.run_id}")
    expect(page.get_by_role("region", name="Books of each resource")).to_contain_text("400 fetched")
    expect(page.get_by_text("http_504").first).to_be_visible()
    take(page, "run", height=820)
    page.keyboard.press("t")
    take(page, "run-dark", height=820)
    page.keyboard.press("t")
    tab.open(f"/ui/accounts/{world.account_id}")
    expect(page.get_by_role("link", name="The whole timeline")).to_be_visible()
    take(page, "account", height=720)
    assert tab.complaints == []
