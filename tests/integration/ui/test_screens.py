"""What every page has: a guard, headers, escaped text, parts that renew themselves, and errors in words."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import pytest
from flask import Flask
from jinja2 import ChoiceLoader, DictLoader

from app.api.application import create_app
from app.api.resources import roles
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.engine.errors import ConflictError, Failure, InvalidInputError, NotFoundError
from app.engine.objects.environments import EnvironmentId, Role
from app.settings import Settings
from app.ui.mounting import SCREENS, mount
from app.ui.screen import Done, Screens
from tests.integration.ui.visiting import MARKUP, Visitor

_PAGE = """{% extends "layout.html" %}{% block title %}{{ page.name }}{% endblock %}
{% block main %}<h1>{{ page.name }}</h1>
{{ ui.facts([("name", page.name), ("status", ui.badge(page.name))]) }}
{{ ui.json({"big": page.big, "name": page.name}) }}
{% call(row) ui.table(["Name", "#Count"], [page], "Things") %}<td>{{ row.name }}</td><td>{{ row.big }}</td>{% endcall %}
{% if may("run") %}{{ ui.confirm(url_for(".act"), "Act", page.name) }}{% endif %}
{% call ui.fragment(url_for(".part"), every=2) %}{% include "part.html" %}{% endcall %}{% endblock %}"""
_OPEN = {
    "sign-in.show",
    "sign-in.enter",
    "sign-in.leave",
    "sign-in.make_link",
    "openid.begin",
    "openid.finish",
    "static",
}
_OPENLY = {f"ui.{name}" for name in _OPEN}


@dataclass
class Thing:
    """What the probe shows."""

    name: str = MARKUP
    big: int = 9_007_199_254_740_993_000_001
    made: list[str] = field(default_factory=list)


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture
def probed(services: ApiServices, settings: Settings, thing: Thing) -> Flask:
    """A dashboard with one more screen, which has one of each."""
    probe = Screens("probe", title="Probe", key="p")

    @probe.page("/probe", "probe.html")
    def show() -> Thing:
        return thing

    @probe.fragment("/probe/part", "part.html")
    def part() -> Thing:
        thing.made.append("part")
        return thing

    @probe.fragment("/probe/cheap", "part.html", version=lambda: thing.name)
    def cheap() -> Thing:
        thing.made.append("cheap")
        return thing

    @probe.action("/probe/act")
    def act() -> Done:
        thing.made.append("act")
        return Done(address="/ui/probe", notice=f"done: {MARKUP}")

    @probe.page("/probe/fails/<kind>", "probe.html")
    def fail(kind: str) -> None:
        failures = [Failure("a.b", f"expected {MARKUP}")]
        errors = {
            "missing": NotFoundError("run", MARKUP),
            "conflict": ConflictError(f"is {MARKUP}"),
            "input": InvalidInputError(failures),
            "broken": RuntimeError("canary-of-a-trace"),
        }
        raise errors[kind]

    app = mount(create_app(services, settings), (*SCREENS, probe))
    own = DictLoader({"probe.html": _PAGE, "part.html": "<p>{{ page.name }}</p>"})
    app.jinja_env.loader = ChoiceLoader([own, app.jinja_env.loader])
    return app


@pytest.fixture
def enter(probed: Flask, services: ApiServices, environment_id: EnvironmentId) -> Callable[[Role], Visitor]:
    def sign_in(role: Role = Role.ADMIN) -> Visitor:
        visitor = Visitor(probed.test_client())
        visitor.sign_in(services.tokens.create(environment_id, MARKUP, role=role)[1])
        return visitor

    return sign_in


@pytest.fixture
def away(settings: Settings, tmp_path) -> Iterator[Visitor]:
    """A dashboard whose database is away."""
    services = build_api_services(replace(settings, database_url=f"postgresql://nobody@/none?host={tmp_path}"))
    yield Visitor(mount(create_app(services, settings)).test_client())
    services.close()


def test_every_page_declares_its_role(app: Flask) -> None:
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/ui")]
    undeclared = {rule.endpoint for rule in rules if roles.needed_by(app.view_functions[rule.endpoint]) is None}
    acting = {
        rule.endpoint: roles.needed_by(app.view_functions[rule.endpoint])
        for rule in rules
        if "POST" in (rule.methods or set()) and rule.endpoint not in _OPENLY
    }

    assert undeclared == _OPENLY
    assert Role.READ not in acting.values()


def test_nobody_sees_a_page_without_signing_in(app: Flask, guest: Visitor) -> None:
    for rule in app.url_map.iter_rules():
        if not rule.rule.startswith("/ui") or rule.endpoint in _OPENLY:
            continue
        path = re.sub(r"<[^>]*>", "x", rule.rule)
        if "GET" in (rule.methods or set()):
            assert guest.get(path).status == 303
            assert guest.part(path).status == 401
        else:
            assert guest.post(path).status == 401


def test_pages_allow_nothing_inline_and_nothing_of_elsewhere(admin: Visitor) -> None:
    seen = admin.get("/ui/")

    policy = dict(one.split(" ", 1) for one in seen.headers["Content-Security-Policy"].split("; "))
    assert policy.pop("default-src") == policy.pop("frame-ancestors") == policy.pop("base-uri") == "'none'"
    assert set(policy.values()) == {"'self'"}
    assert set(policy) == {"style-src", "script-src", "img-src", "font-src", "connect-src", "form-action"}
    assert seen.headers["X-Content-Type-Options"] == "nosniff"
    assert seen.headers["Referrer-Policy"] == "same-origin"
    assert seen.headers["Cache-Control"] == "no-store"
    assert not re.search(r"\son\w+=|\sstyle=|<style|javascript:|<script(?![^>]* src=)", seen.text)


def test_assets_are_remembered_by_their_content(admin: Visitor) -> None:
    addresses = re.findall(r'(?:src|href)="([^"]*/static/[^"]*)"', admin.get("/ui/").text)

    assert len(set(addresses)) == 3
    for address in addresses:
        seen = admin.get(html.unescape(address))
        assert seen.status == 200
        assert "max-age=31536000" in seen.headers["Cache-Control"]
    assert len(admin.get("/ui/static/ferryman.js").text.encode()) < 10_000


def test_markup_is_text_everywhere(enter: Callable[..., Visitor]) -> None:
    visitor = enter()

    seen = [visitor.get("/ui/probe"), visitor.part("/ui/probe/part")]
    seen += [visitor.get(f"/ui/probe/fails/{kind}") for kind in ("missing", "conflict", "input")]
    visitor.post("/ui/probe/act")
    seen.append(visitor.get("/ui/probe"))

    assert [one.status for one in seen] == [200, 200, 404, 400, 400, 200]
    for one in seen:
        assert "<img" not in one.text.replace('<img src="/ui/static', "")
        assert "&lt;img src=x" in one.text
        assert "{{7*7}}" in html.unescape(one.text)


def test_json_keeps_all_digits(enter: Callable[..., Visitor], thing: Thing) -> None:
    assert str(thing.big) in enter().get("/ui/probe").text


def test_reader_sees_no_button_and_can_not_act(enter: Callable[..., Visitor], thing: Thing) -> None:
    reader, runner = enter(Role.READ), enter(Role.RUN)

    assert reader.get("/ui/probe").actions == []
    assert runner.get("/ui/probe").actions == ["/ui/probe/act"]
    refused = reader.post("/ui/probe/act")
    assert (refused.status, refused.heading) == (403, "That is not allowed")
    assert thing.made == []


def test_form_without_proof_does_nothing(enter: Callable[..., Visitor], thing: Thing) -> None:
    visitor = enter()

    assert visitor.post("/ui/probe/act", proof="0" * 64).status == 403
    assert visitor.post("/ui/probe/act", sent={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert thing.made == []


def test_button_says_what_it_did_once(enter: Callable[..., Visitor]) -> None:
    visitor = enter()

    acted = visitor.post("/ui/probe/act")

    assert (acted.status, acted.headers["Location"]) == (303, "/ui/probe")
    assert f"done: {MARKUP}" in html.unescape(visitor.get("/ui/probe").text)
    assert "done: " not in visitor.get("/ui/probe").text


def test_unchanged_part_is_not_sent_again(enter: Callable[..., Visitor], thing: Thing) -> None:
    visitor = enter()
    first = visitor.part("/ui/probe/part")

    second = visitor.part("/ui/probe/part", If_None_Match=first.headers["ETag"])
    thing.name = "another"
    third = visitor.part("/ui/probe/part", If_None_Match=first.headers["ETag"])

    assert (first.status, second.status, second.text, third.status) == (200, 304, "", 200)
    assert "another" in third.text
    assert "<html" not in third.text


def test_part_with_a_version_is_not_even_made(enter: Callable[..., Visitor], thing: Thing) -> None:
    visitor, other = enter(), enter()
    first = visitor.part("/ui/probe/cheap")

    again = visitor.part("/ui/probe/cheap", If_None_Match=first.headers["ETag"])
    of_other = other.part("/ui/probe/cheap", If_None_Match=first.headers["ETag"])

    assert (again.status, of_other.status) == (304, 200)
    assert thing.made == ["cheap", "cheap"]


@pytest.mark.parametrize(
    ("kind", "status", "heading"),
    [
        ("missing", 404, "There is nothing here"),
        ("conflict", 400, "That does not work"),
        ("input", 400, "That does not work"),
    ],
)
def test_errors_are_pages(kind: str, status: int, heading: str, enter: Callable[..., Visitor]) -> None:
    seen = enter().get(f"/ui/probe/fails/{kind}")

    assert (seen.status, seen.heading) == (status, heading)
    assert seen.headers["Content-Type"] == "text/html; charset=utf-8"


def test_nothing_shows_a_trace(enter: Callable[..., Visitor]) -> None:
    visitor = enter()

    page, part = visitor.get("/ui/probe/fails/broken"), visitor.part("/ui/probe/fails/broken")

    assert (page.status, part.status) == (500, 500)
    assert page.headers["X-Request-Id"] in page.text
    assert "canary-of-a-trace" not in page.text + part.text
    assert "Traceback" not in page.text + part.text


def test_unknown_paths_methods_and_bodies_are_pages_too(admin: Visitor, settings: Settings) -> None:
    unknown, wrong = admin.get("/ui/nothing/here"), admin.post("/ui/")
    huge = admin.post("/ui/sign-in", token="x" * (settings.request_limit_bytes + 1))

    assert (unknown.status, unknown.heading) == (404, "There is nothing here")
    assert (wrong.status, wrong.heading) == (405, "That is not offered here")
    assert "GET" in wrong.headers["Allow"]
    assert (huge.status, huge.heading) == (413, "That is too large")


def test_database_that_is_away_is_a_page(away: Visitor) -> None:
    away.client.set_cookie("ferryman_session", "anything", path="/ui")

    page, part, entered = away.get("/ui/"), away.part("/ui/"), away.sign_in("frm_x")

    assert (page.status, page.heading) == (503, "The database cannot be reached")
    assert (part.status, part.text) == (503, "The database cannot be reached.")
    assert entered.status == 503


def test_the_api_still_answers_errors_as_json(app: Flask) -> None:
    client = app.test_client()

    assert client.get("/sync-job").get_json()["statusCode"] == 401
    assert client.get("/uix").get_json()["statusCode"] == 401


def test_pages_work_below_a_prefix(enter: Callable[..., Visitor]) -> None:
    seen = enter().get("/ui/probe", X_Forwarded_Prefix="/apis/ferryman", X_Forwarded_For="192.0.2.7")

    addresses = [*seen.links, *seen.actions, *seen.fragments, *re.findall(r'src="([^"]*)"', seen.text)]
    assert [one for one in addresses if not one.startswith(("/apis/ferryman/ui", "#"))] == []


def test_chosen_theme_is_in_the_page(admin: Visitor) -> None:
    admin.client.set_cookie("ferryman_theme", "dark", path="/ui")
    dark = admin.get("/ui/").text
    admin.client.set_cookie("ferryman_theme", '"><script>', path="/ui")

    assert '<html lang="en" data-theme="dark">' in dark
    assert '<html lang="en">' in admin.get("/ui/").text
