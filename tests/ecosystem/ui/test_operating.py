"""A failed delivery is followed to its answer, and an account's timeline read, in a browser."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from sqlalchemy import Engine, text

from app.api.application import create_app
from app.settings import Settings
from app.store.db.database import connect
from tests.ecosystem.ui.browsing import Tab
from tests.integration.api.calling import Caller
from tests.integration.api.walled_worlds import World, furnished
from tests.support.served_api import ServedApi


@pytest.fixture
def engine(served: ServedApi) -> Iterator[Engine]:
    engine = connect(served.database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def world(served: ServedApi, engine: Engine) -> World:
    """One of everything, and a delivery that was given up."""
    settings = Settings(database_url=served.database_url, broker_url="memory://", encryption_key="")
    caller = Caller(create_app(served.services, settings).test_client(), served.token)
    world = furnished(caller, "mine", served.environment, engine)
    refuse = (
        "update integrated_account set status = 'needs_reauth', last_error = 'the token was revoked' where id = :id"
    )
    fail = """update delivery set status = 'dead_lettered', last_status_code = 418, last_error = 'short and stout',
              attempts = 12, last_attempt_at = now() where webhook_id = :id"""
    with engine.begin() as connection:
        connection.execute(text(refuse), {"id": world.ids["integrated-account"]})
        connection.execute(text(fail), {"id": world.ids["webhook"]})
    return world


@pytest.fixture
def page(tab: Tab, served: ServedApi) -> Page:
    return tab.sign_in(served.token)


def test_failed_delivery_is_followed_to_its_answer_and_sent_again(tab: Tab, page: Page, world: World) -> None:
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page.get_by_role("heading", name="Webhooks")).to_be_visible()
    tab.check()
    page.locator("tr[data-row] a").first.click()
    page.get_by_label("Status").select_option("dead_lettered")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url("**status=dead_lettered**")
    tab.check()
    page.locator("tr[data-row] a.mono").first.click()

    expect(page.get_by_text("418")).to_be_visible()
    expect(page.get_by_text("short and stout")).to_be_visible()
    tab.check()
    page.get_by_role("button", name="Send again").click()

    expect(page.get_by_text("It is sent again.")).to_be_visible()
    assert tab.complaints == []


def test_timeline_of_an_account_is_read_to_who_changed_it(tab: Tab, page: Page, world: World) -> None:
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.get_by_label("Status").select_option("needs_reauth")
    page.get_by_role("button", name="Filter").click()
    tab.check()
    page.locator("tr[data-row] a").first.click()
    expect(page.get_by_text("the token was revoked").first).to_be_visible()
    tab.check()

    page.get_by_role("link", name="The whole timeline").click()
    expect(page.get_by_role("link", name="integrated_account.created")).to_be_visible()
    tab.check()
    page.get_by_role("link", name="integrated_account.created").click()

    expect(page.get_by_text("POST /integrated-account")).to_be_visible()
    tab.check()


def test_every_screen_of_an_operator_fits_and_complains_of_nothing(tab: Tab, page: Page, world: World) -> None:
    account, destination = world.ids["integrated-account"], world.ids["destination"]
    for path in (
        *("/ui/destinations", f"/ui/destinations/{destination}", "/ui/triggers", "/ui/audit", "/ui/schemas"),
        *(f"/ui/triggers/{world.ids['sync-job-cron-trigger']}", f"/ui/schemas/{world.ids['schema']}"),
        *(f"/ui/accounts/{account}/records", f"/ui/webhooks/{world.ids['webhook']}"),
    ):
        tab.open(path)
        tab.check()
