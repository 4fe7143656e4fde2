"""A person watches runs in a browser: to the end, stopped, resumed, and all that failed retried at once."""

import re
import signal
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from app.stack.stack import Stack
from tests.ecosystem.ui.browsing import Tab, opened_tab
from tests.support.upstream import Upstream, numbered, reply
from tests.support.workspace import Sync, Workspace, child_of, listed


@pytest.fixture
def tab(browser: Browser, ferryman: Stack) -> Iterator[Tab]:
    with opened_tab(browser, ferryman.api_url) as tab:
        yield tab


def expect_status(page: Page, status: str) -> None:
    expect(page.get_by_role("heading", level=1).locator(".badge")).to_have_text(status)


def test_run_is_started_from_the_form_and_watched_to_its_end(
    tab: Tab, workspace: Workspace, upstream: Upstream, token: str
) -> None:
    upstream.lists("/teams", numbered("team", 3))
    upstream.lists("/users", numbered("user", 5))
    gate = upstream.gate("/users")
    sync = workspace.sync(upstream.url, [listed("teams"), child_of("teams", "users")])
    page = tab.sign_in(token, f"/ui/jobs/{sync.job_id}")

    page.get_by_label("Account").fill(sync.account_id)
    page.get_by_role("button", name="Start the run").click()
    page.wait_for_url(re.compile("/ui/runs/"))
    gate.wait_for_request()
    expect_status(page, "running")
    expect(page.get_by_text(re.compile(r"daemon \S+ works on it")).first).to_be_visible()
    tab.check()
    gate.open()
    expect_status(page, "completed")

    expect(page.get_by_text("3 fetched", exact=True).first).to_be_attached()
    expect(page.get_by_text("It completed without an error.")).to_be_visible()
    expect(page.get_by_role("region", name="Books of each resource")).to_contain_text("15 fetched = ")
    tab.check()
    page.get_by_role("link", name="Verify").click()
    expect(page.get_by_role("heading", name="The books balance")).to_be_visible()
    tab.check()


def test_run_is_stopped_and_resumed(tab: Tab, workspace: Workspace, upstream: Upstream, token: str) -> None:
    upstream.lists("/users", numbered("user", 5), page_size=2)
    gate = upstream.gate("/users", from_cursor="2")
    run_id = workspace.sync(upstream.url, [listed("users")]).start()
    gate.wait_for_request()
    page = tab.sign_in(token, f"/ui/runs/{run_id}")

    page.locator("summary", has_text="Stop").click()
    page.locator("details.confirm[open]").get_by_role("button", name="Stop").click()
    expect_status(page, "stopped")
    expect(page.get_by_text("The run was stopped.")).to_be_visible()
    gate.open()
    page.get_by_role("button", name="Resume").click()

    expect_status(page, "completed")
    expect(page.get_by_role("region", name="Books of each resource")).to_contain_text("5 created")
    assert tab.complaints == []


def test_limit_and_a_frozen_daemon_are_named_on_the_page_of_their_run(
    tab: Tab, workspace: Workspace, upstream: Upstream, token: str, ferryman: Stack
) -> None:
    daemon = ferryman.children["daemon-1"]
    upstream.answers_in_turn("/teams", reply({}, 429, {"Retry-After": "6"}), reply({"data": numbered("team", 3)}))
    upstream.lists("/users", numbered("user", 1))
    gate = upstream.gate("/users")
    run_id = workspace.sync(upstream.url, [listed("teams"), child_of("teams", "users")]).start()
    page = tab.sign_in(token, f"/ui/runs/{run_id}")
    gate.wait_for_request()

    daemon.send(signal.SIGSTOP)
    try:
        frozen = re.compile(r"It waits for daemon \S+, which has had a unit of users since .* last heartbeat \d+ s ago")
        expect(page.get_by_text(frozen)).to_be_visible()
    finally:
        daemon.send(signal.SIGCONT)
    gate.open()

    expect(page.locator("h1 .badge")).to_have_text(re.compile("^completed"))
    waited = page.locator("td .hint", has_text=re.compile(r"waited \d+\.\d s for the upstream's limit"))
    expect(waited).to_be_visible()


def failed_runs(workspace: Workspace, upstream: Upstream, *, count: int) -> tuple[Sync, list[str]]:
    """Make runs that complete with an error each, of which the upstream repents."""
    upstream.lists("/teams", numbered("team", 1))
    upstream.answers("/users", reply({"error": "<b>broken</b>"}, 500))
    sync = workspace.sync(upstream.url, [listed("teams"), child_of("teams", "users")])
    ids = [sync.run(args={"batch": "nightly"})["id"] for _ in range(count)]
    upstream.lists("/users", numbered("user", 2))
    return sync, ids


def test_errors_of_all_runs_that_match_are_retried_at_once(
    tab: Tab, workspace: Workspace, upstream: Upstream, token: str
) -> None:
    sync, ids = failed_runs(workspace, upstream, count=2)
    page = tab.sign_in(token, "/ui/runs")

    page.get_by_label("Args").fill("batch=nightly")
    page.get_by_label("Error code").fill("http_500")
    page.get_by_role("button", name="Filter").click()
    page.wait_for_url(re.compile("error=http_500"))
    expect(page.get_by_text("2 runs", exact=True)).to_be_visible()
    tab.check()
    page.get_by_role("button", name="Retry errors").click()
    expect(page.get_by_role("heading", name="Retry errors of 2 runs")).to_be_visible()
    tab.check()
    page.get_by_role("button", name="Retry errors of all 2").click()

    expect(page.get_by_role("region", name="The action").locator(".badge")).to_have_text("finished")
    tab.check()
    assert [sync.finished(id)["status"] for id in ids] == ["completed"] * 2
    stats = [sync.show(id)["resource_stats"]["users"]["list"] for id in ids]
    assert [one["errors"] - one["retried"] for one in stats] == [0, 0]


def test_error_is_followed_to_its_answer(tab: Tab, workspace: Workspace, upstream: Upstream, token: str) -> None:
    _, (run_id,) = failed_runs(workspace, upstream, count=1)
    page = tab.sign_in(token, f"/ui/runs/{run_id}")

    # The cause of most errors is open.
    expect(page.locator("details.group summary", has_text="http_500")).to_be_visible()
    answer = page.get_by_role("region", name="Answer")
    expect(answer).to_contain_text("<b>broken</b>")
    expect(page.get_by_text("was answered 500").last).to_be_visible()
    tab.check()
    page.get_by_role("button", name="Retry errors").click()
    expect(page.get_by_text("No request and no record has failed.")).to_have_count(0)
    expect_status(page, "completed")
    assert tab.complaints == []


def test_run_that_is_deleted_while_it_is_watched_says_so(
    tab: Tab, workspace: Workspace, upstream: Upstream, token: str
) -> None:
    upstream.lists("/users", numbered("user", 1))
    run = workspace.sync(upstream.url, [listed("users")]).run()
    page = tab.sign_in(token, f"/ui/runs/{run['id']}")

    workspace.api.call("DELETE", f"/sync-job-run/{run['id']}")

    expect(page.get_by_role("alert")).to_have_text("This does not exist any more.")
