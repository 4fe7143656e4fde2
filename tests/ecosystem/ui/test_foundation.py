"""Signing in, the keys, the themes, and what a page says when its session or its server is gone."""

from playwright.sync_api import Browser, expect

from tests.ecosystem.ui.browsing import Tab, opened_tab
from tests.support.prefix_proxy import prefix_proxy
from tests.support.served_api import ServedApi


def test_person_signs_in_looks_around_and_signs_out(tab: Tab, served: ServedApi) -> None:
    page = tab.open("/ui/")
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    tab.check()

    tab.sign_in(served.token)
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    tab.check()
    page.get_by_role("button", name="Sign out").click()

    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    assert page.context.cookies() == []


def test_sign_in_link_signs_in(tab: Tab, served: ServedApi) -> None:
    token = served.services.tokens.authenticate(served.token)
    code = served.services.dashboard.sessions.issue_code(token)

    page = tab.open(f"/ui/sign-in?code={code}")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert tab.complaints == []


def test_link_of_another_site_arrives_signed_in(tab: Tab, served: ServedApi) -> None:
    """The cookie is strict, so a click elsewhere does not send it."""
    page = tab.sign_in(served.token)
    elsewhere = served.url.replace("127.0.0.1", "localhost")
    page.route(
        f"{elsewhere}/elsewhere",
        lambda route: route.fulfill(body=f"<a href='{served.url}/ui/'>go</a>", content_type="text/html"),
    )
    page.goto(f"{elsewhere}/elsewhere")

    page.get_by_text("go").click()

    expect(page.get_by_role("heading", name="Overview")).to_be_visible()


def test_keys_turn_the_theme_and_show_themselves(tab: Tab, served: ServedApi) -> None:
    page = tab.sign_in(served.token)
    page.keyboard.press("t")
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"

    page.reload()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    tab.check()
    page.keyboard.press("Escape")
    page.keyboard.press("g")
    page.keyboard.press("o")

    page.wait_for_url(f"{served.url}/ui/")
    assert tab.complaints == []


def test_dashboard_works_below_a_prefix(browser: Browser, served: ServedApi) -> None:
    with prefix_proxy(served.url, "/apis/ferryman") as url, opened_tab(browser, url) as tab:
        page = tab.sign_in(served.token)

        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        assert {cookie["path"] for cookie in page.context.cookies()} == {"/apis/ferryman/ui"}
        assert tab.complaints == []


def test_all_works_without_a_script(browser: Browser, served: ServedApi) -> None:
    with opened_tab(browser, served.url, java_script_enabled=False) as tab:
        page = tab.sign_in(served.token)

        expect(page.get_by_role("heading", name="Overview")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
