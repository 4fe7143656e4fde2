"""The overview, jobs and the fleet in a browser, and what a page says while something is away."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, Page, TimeoutError, expect
from sqlalchemy import Engine, insert, text

from app.engine.ids import new_id
from app.engine.json_types import JsonObject
from app.net.addresses import LOOPBACK
from app.store import tables
from app.store.db.database import connect
from tests.ecosystem.ui.browsing import Tab, opened_tab
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer
from tests.support.upstream import Upstream, reply

SINCE = "2026-01-01T00:00:00Z"


@pytest.fixture
def engine(served: ServedApi) -> Iterator[Engine]:
    engine = connect(served.database_url, pool_size=1)
    yield engine
    engine.dispose()


@pytest.fixture
def upstream() -> Iterator[Upstream]:
    server = Upstream()
    server.answers("/users", reply({"data": [{"id": "1", "name": "Ada"}], "next": None}))
    yield server
    server.close()


@pytest.fixture
def served(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server, allowed_networks=LOOPBACK) as served:
        yield served


@pytest.fixture
def job(served: ServedApi, upstream: Upstream) -> JsonObject:
    listing = {"method": "get", "path": "/users", "response_path": "data"}
    config = {
        "base_url": upstream.url,
        "authorization": {"format": "bearer"},
        "resources": {"users": {"list": listing}},
    }
    served.client.post("/integration", {"name": "acme", "config": config})
    served.client.post(
        "/integrated-account", {"integration_name": "acme", "tenant_id": "globex", "context": {"token": "x"}}
    )
    schema = {"since": {"type": "string", "format": "date-time", "required": True}, "deep": {"type": "boolean"}}
    resources = [{"resource": "users", "method": "list", "persist": True}]
    made: JsonObject = served.client.post(
        "/sync-job", {"integration_name": "acme", "label": "People", "resources": resources, "args_schema": schema}
    )
    return made


def renew(page: Page) -> None:
    """Renew the page now, as a person does."""
    page.keyboard.press("r")


def test_overview_renews_itself_and_keeps_what_was_opened(
    tab: Tab, served: ServedApi, job: JsonObject, engine: Engine
) -> None:
    page = tab.sign_in(served.token)
    expect(page.get_by_text("Nothing needs attention")).to_be_visible()
    tab.check()

    with engine.begin() as connection:
        connection.execute(text("update integrated_account set status = 'needs_reauth', last_error = 'refused'"))
    renew(page)
    concern = page.locator("details.concern summary")
    expect(concern).to_contain_text("Accounts to be reconnected: 1")
    concern.click()
    concern.focus()
    with engine.begin() as connection:
        connection.execute(text("update integrated_account set last_error = 'refused again'"))
    renew(page)

    expect(page.locator("details.concern li")).to_contain_text("refused again")
    expect(page.locator("details.concern")).not_to_have_attribute("open", "")
    expect(concern).to_be_focused()
    tab.check()


def test_person_tries_and_starts_a_run_from_the_form(tab: Tab, served: ServedApi, job: JsonObject) -> None:
    page = tab.sign_in(served.token)
    page.keyboard.press("g")
    page.keyboard.press("j")
    page.wait_for_url("**/ui/jobs")
    tab.check()
    page.keyboard.press("j")
    expect(page.get_by_role("link", name="People")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="People")).to_be_visible()
    tab.check()

    page.get_by_role("button", name="Start the run").click()
    expect(page.get_by_text("is required").first).to_be_visible()
    page.get_by_label("since").fill(SINCE)
    page.get_by_role("button", name="Dry run").click()
    expect(page.get_by_text("Nothing was written")).to_be_visible()
    expect(page.get_by_text('"name": "Ada"')).to_be_visible()
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url("**/ui/runs/*")

    (run,) = served.client.get("/sync-job-run")["result"]
    assert run["args"] == {"since": SINCE}
    assert [one for one in tab.complaints if "400" not in one and "404" not in one] == []


def test_fleet_fits_everywhere(tab: Tab, served: ServedApi, engine: Engine) -> None:
    row = {"id": new_id(), "label": "daemon-1@host", "group_key": "default", "status": "active"}
    more = {"last_active_at": datetime.now(UTC), "metadata": {"slots": 8, "version": "1"}}
    with engine.begin() as connection:
        connection.execute(insert(tables.daemon).values({**row, **more}))

    page = tab.sign_in(served.token, "/ui/fleet")

    expect(page.get_by_text("daemon-1@host")).to_be_visible()
    tab.check()


def test_page_says_that_its_session_is_over_and_leads_back(tab: Tab, served: ServedApi, engine: Engine) -> None:
    page = tab.sign_in(served.token, "/ui/fleet")
    with engine.begin() as connection:
        connection.execute(text("delete from dashboard_session"))
    renew(page)

    expect(page.get_by_role("alert").filter(has_text="The session has expired.")).to_be_visible()
    page.get_by_role("link", name="Sign in again.").click()
    page.get_by_label("API token").fill(served.token)
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Fleet")).to_be_visible()
    assert page.url == f"{served.url}/ui/fleet"


def test_page_says_that_the_database_or_the_server_is_away_and_goes_on(tab: Tab, served: ServedApi) -> None:
    page = tab.sign_in(served.token, "/ui/fleet")
    alert = page.locator("#away")
    page.route("**/ui/fleet/board", lambda route: route.fulfill(status=503, body="The database cannot be reached."))
    renew(page)
    expect(alert).to_have_text("The database cannot be reached.")
    page.unroute("**/ui/fleet/board")
    page.route("**/ui/fleet/board", lambda route: route.abort())
    renew(page)
    expect(alert).to_contain_text("Ferryman cannot be reached.")

    page.unroute("**/ui/fleet/board")
    renew(page)

    expect(alert).to_be_hidden()
    expect(page.get_by_role("heading", name="Daemons")).to_be_visible()


def test_unchanged_parts_are_304_and_a_hidden_tab_asks_for_nothing(tab: Tab, served: ServedApi) -> None:
    page = tab.sign_in(served.token, "/ui/fleet")
    page.evaluate("document.querySelector('[data-fragment]').dataset.every = '0.1'")
    statuses = []
    renew(page)
    for _ in range(4):
        with page.expect_response("**/fleet/board") as answer:
            pass
        statuses.append(answer.value.status)

    page.evaluate("Object.defineProperty(document, 'hidden', {get: () => globalThis.isHidden, configurable: true})")
    page.evaluate("globalThis.isHidden = true")
    # What was under way when the tab was hidden is over by then.
    page.wait_for_timeout(500)
    with pytest.raises(TimeoutError), page.expect_request("**/fleet/board", timeout=1_000):
        pass
    with page.expect_response("**/fleet/board"):
        page.evaluate("globalThis.isHidden = false; document.dispatchEvent(new Event('visibilitychange'))")

    assert statuses[-1] == 304


def test_reader_sees_no_button_that_acts(browser: Browser, served: ServedApi, job: JsonObject) -> None:
    token = served.client.post("/api-token", {"name": "reader", "role": "read"})["token"]
    with opened_tab(browser, served.url) as tab:
        page = tab.sign_in(token, f"/ui/jobs/{job['id']}")

        assert page.get_by_role("button").all_inner_texts() == ["Theme", "Keys", "Sign out"]
        tab.check()
