"""Who is signed in to the dashboard, until when, and what a page of somebody else can not do."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from flask import Flask
from sqlalchemy import Engine, text

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.limits import build_request_limits
from app.engine.objects.environments import EnvironmentId, Role
from app.settings import Settings
from app.ui.mounting import mount
from tests.integration.ui.visiting import SESSION, Visitor

_ALL = """
    select to_jsonb(dashboard_session)::text from dashboard_session
     union all select to_jsonb(sign_in_code)::text from sign_in_code
"""


def test_token_signs_in_and_leads_to_where_one_was(guest: Visitor, token: str) -> None:
    asked = guest.get("/ui/?range=7d")

    sign_in = guest.get(asked.headers["Location"])
    entered = guest.sign_in(f"  Bearer {token}\n", next="/ui/?range=7d")

    assert (asked.status, sign_in.status, entered.status) == (303, 200, 303)
    assert 'name="next" value="/ui/?range=7d"' in sign_in.text
    assert entered.headers["Location"] == "/ui/?range=7d"
    assert guest.get("/ui/").heading == "Overview"


def test_cookie_can_not_be_read_by_scripts_nor_sent_by_other_sites(guest: Visitor, token: str) -> None:
    https = {"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/apis/ferryman", "X-Forwarded-For": "192.0.2.1"}

    plain = guest.sign_in(token).headers["Set-Cookie"]
    behind = guest.post("/ui/sign-in", sent=https, token=token)

    assert "HttpOnly" in plain and "SameSite=Strict" in plain and "Path=/ui" in plain and "Secure" not in plain
    assert "Secure" in behind.headers["Set-Cookie"] and "Path=/apis/ferryman/ui" in behind.headers["Set-Cookie"]
    assert behind.headers["Location"] == "/apis/ferryman/ui/"
    assert token not in plain


def test_wrong_token_is_refused_in_words(guest: Visitor) -> None:
    seen = guest.sign_in("frm_nobody")

    assert seen.status == 401
    assert "This is no API token of this Ferryman" in seen.words
    assert "frm_nobody" not in seen.text
    assert guest.secret is None


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/ui/",
        "/\\evil.example",
        "/ui\\..\\evil",
        "javascript:alert(1)",
        "/docs",
        "/uix",
        "/ui/sign-out",
        "/ui/./sign-out",
        "/ui/../..//evil.example",
        "/ui/runs/%2E%2e/../../docs",
        "/ui/..",
        "/ui/\r\nSet-Cookie: x=y",
    ],
)
def test_only_pages_of_the_dashboard_are_led_to(address: str, guest: Visitor, token: str) -> None:
    assert guest.sign_in(token, next=address).headers["Location"] == "/ui/"


def test_session_ends_with_its_token(
    app: Flask, services: ApiServices, environment_id: EnvironmentId, guest: Visitor
) -> None:
    issued, secret = services.tokens.create(environment_id, "short")
    guest.sign_in(secret)
    assert guest.get("/ui/").status == 200

    services.tokens.revoke(environment_id, issued.id)

    assert guest.get("/ui/").status == 303
    assert guest.part("/ui/").status == 401
    assert guest.part("/ui/").text == "The session has expired."
    assert "Your session has ended: sign in again." in guest.get("/ui/sign-in").words


def test_session_ends_by_itself(engine: Engine, admin: Visitor, environment_id: EnvironmentId) -> None:
    with engine.begin() as connection:
        connection.execute(
            text("update dashboard_session set expires_at = now() where environment_id = :id"), {"id": environment_id}
        )

    assert admin.get("/ui/").status == 303


def test_no_session_outlives_its_token(
    engine: Engine, services: ApiServices, environment_id: EnvironmentId, guest: Visitor
) -> None:
    issued, secret = services.tokens.create(environment_id, "short")
    ends = text("update api_token set expires_at = now() + interval '1 minute' where id = :id returning expires_at")
    with engine.begin() as connection:
        ended_at = connection.execute(ends, {"id": issued.id}).scalar_one()

    guest.sign_in(secret)

    session = services.dashboard.sessions.find(str(guest.secret))
    assert session is not None
    assert session.expires_at == ended_at


def test_sign_out_ends_the_session_everywhere(app: Flask, admin: Visitor) -> None:
    copied = Visitor(app.test_client())
    copied.client.set_cookie(SESSION, str(admin.secret), path="/ui")
    assert copied.get("/ui/").status == 200

    left = admin.post("/ui/sign-out")

    assert (left.status, left.headers["Location"]) == (303, "/ui/sign-in")
    assert copied.get("/ui/").status == 303
    assert admin.post("/ui/sign-out").status == 303


def test_only_hashes_are_stored(engine: Engine, services: ApiServices, admin: Visitor, token: str) -> None:
    code = services.dashboard.sessions.issue_code(services.tokens.authenticate(token))

    with engine.connect() as connection:
        rows = connection.execute(text(_ALL)).scalars()
        stored = "\n".join(rows)
    assert stored
    assert str(admin.secret) not in stored
    assert code not in stored


def test_sign_in_link_works_once_and_only_by_its_button(
    app: Flask, services: ApiServices, guest: Visitor, token: str
) -> None:
    code = services.dashboard.sessions.issue_code(services.tokens.authenticate(token))

    looked = [guest.get(f"/ui/sign-in?code={code}") for _ in range(2)]
    entered = guest.post("/ui/sign-in", code=code)
    again = Visitor(app.test_client()).post("/ui/sign-in", code=code)

    assert [one.status for one in looked] == [200, 200]
    assert entered.status == 303
    assert guest.get("/ui/").status == 200
    assert again.status == 401
    assert "this sign-in link was used, or has expired" in again.words


def test_sign_in_link_ends_with_its_token_and_its_time(
    engine: Engine, services: ApiServices, environment_id: EnvironmentId, guest: Visitor
) -> None:
    revoked, first = services.tokens.create(environment_id, "one")
    _, second = services.tokens.create(environment_id, "two")
    codes = [services.dashboard.sessions.issue_code(services.tokens.authenticate(one)) for one in (first, second)]
    services.tokens.revoke(environment_id, revoked.id)
    late = "update sign_in_code set expires_at = now() where token_id in (select id from api_token where name = 'two')"
    with engine.begin() as connection:
        connection.execute(text(late))

    assert [guest.post("/ui/sign-in", code=code).status for code in codes] == [401, 401]


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:81"},
    ],
    ids=str,
)
def test_forms_of_other_sites_do_nothing(headers: dict[str, str], admin: Visitor, guest: Visitor, token: str) -> None:
    assert guest.post("/ui/sign-in", sent=headers, token=token).status == 403
    assert admin.post("/ui/sign-out", sent=headers).status == 403
    assert admin.get("/ui/").status == 200


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}], ids=str)
def test_forms_of_its_own_are_taken(headers: dict[str, str], admin: Visitor) -> None:
    assert admin.post("/ui/sign-out", sent=headers).status == 303


def test_form_of_another_session_does_nothing(admin: Visitor, visitor_of: Callable[[Role], Visitor]) -> None:
    other = visitor_of(Role.ADMIN)
    foreign = other.get("/ui/").text.partition('name="form_token" value="')[2].partition('"')[0]
    assert len(foreign) == 64

    assert admin.post("/ui/sign-out", proof=foreign).status == 403
    assert admin.post("/ui/sign-out", proof="").status == 403
    assert admin.get("/ui/").status == 200


def test_link_of_another_site_arrives_signed_in(guest: Visitor) -> None:
    """A browser sends the strict cookie only after a page of our own: that page leads on by itself."""
    seen = guest.get("/ui/?a=1&b=2", Sec_Fetch_Site="cross-site")

    assert seen.status == 200
    assert 'http-equiv="refresh" content="0; url=/ui/?a=1&amp;b=2"' in seen.text
    assert guest.get("/ui/", Sec_Fetch_Site="same-origin").status == 303


def test_program_makes_a_sign_in_link_by_its_token(guest: Visitor, token: str) -> None:
    bearer = {"Authorization": f"Bearer {token}"}

    made = guest.client.post("/ui/sign-in-link?next=/ui/fleet", headers=bearer)
    refused = guest.client.post("/ui/sign-in-link", headers={"Authorization": "Bearer nobody"})
    nowhere = guest.client.post("/ui/sign-in-link", headers={**bearer, "Host": "no host/at all"})

    assert made.status_code == 201
    address = made.get_json()["url"].removeprefix("http://localhost")
    assert 'name="next" value="/ui/fleet"' in guest.get(address).text
    assert (refused.status_code, refused.get_json()["statusCode"]) == (401, 401)
    assert nowhere.status_code == 400
    assert [one["path"] for one in nowhere.get_json()["details"]["failures"]] == ["Host"]
    assert guest.client.post("/ui/sign-in-link").status_code == 401


def test_too_many_tries_to_sign_in_are_refused(services: ApiServices, settings: Settings) -> None:
    slow = replace(settings, token_requests=3, token_window_seconds=60)
    limited = replace(services, request_limits=build_request_limits(slow))
    visitor = Visitor(mount(create_app(limited, slow)).test_client())

    seen = [visitor.sign_in("frm_wrong") for _ in range(5)]

    assert [one.status for one in seen] == [401, 401, 401, 429, 429]
    assert seen[-1].heading == "Too many requests"
    assert int(seen[-1].headers["Retry-After"]) > 0


def test_who_signs_in_and_out_is_in_the_audit_log(
    guest: Visitor, token: str, services: ApiServices, engine: Engine
) -> None:
    holder = services.tokens.authenticate(token)

    guest.sign_in(token)
    guest.post("/ui/sign-out")
    guest.post("/ui/sign-in", code=services.dashboard.sessions.issue_code(holder))

    entries = text("select * from audit_entry where environment_id = :id and object_type = 'dashboard_session'")
    with engine.connect() as connection:
        found = connection.execute(entries, {"id": holder.environment_id}).mappings().all()
    of = [(one["action"], one["actor_kind"], str(one["actor_id"]), one["actor_name"]) for one in found]
    actions = ("dashboard_session.created", "dashboard_session.deleted", "dashboard_session.created")
    assert of == [(action, "ui", holder.id, holder.name) for action in actions]
    assert {one["operation"] for one in found} == {"POST /ui/sign-in", "POST /ui/sign-out"}
    assert found[0]["after"] == {"name": holder.name, "role": holder.role, "token_id": holder.id}
    assert token not in str(found)
    assert str(guest.secret) not in str(found)
