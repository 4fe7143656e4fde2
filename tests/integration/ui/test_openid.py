"""Sign in by an OpenID provider: a real one that the test runs, over HTTP."""

import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from click.testing import CliRunner, Result
from sqlalchemy import Engine, text

from app.api.application import create_app
from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.cli.main import main
from app.engine.ids import new_id
from app.settings import Settings
from app.ui.mounting import mount
from tests.integration.ui.visiting import Seen, Visitor

# Of the provider, which uses of authlib what that will drop.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture(scope="module")
def provider() -> Iterator[str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import oidc_provider_mock

    with oidc_provider_mock.run_server_in_thread(require_nonce=True) as server:
        yield f"http://localhost:{server.server_port}"


@pytest.fixture
def openly(settings: Settings, provider: str) -> Iterator[ApiServices]:
    known = replace(settings, oidc_issuer=provider, oidc_client_id="ferryman", oidc_client_secret="canary-of-a-client")
    services = build_api_services(known)
    yield services
    services.close()


@pytest.fixture
def visitor(openly: ApiServices, settings: Settings) -> Visitor:
    return Visitor(mount(create_app(openly, settings)).test_client())


@pytest.fixture
def sign_in(visitor: Visitor, provider: str) -> Callable[..., Seen]:
    """Go to the provider as somebody, and back."""

    def go(*, onwards: str = "/ui/", **claims: Any) -> Seen:
        person = {"sub": new_id(), **claims}
        requests.put(f"{provider}/users/{person['sub']}", json=claims, timeout=10).raise_for_status()
        begun = visitor.get(f"/ui/sign-in/openid?next={onwards}")
        assert begun.status == 302
        led = requests.post(begun.headers["Location"], data={"sub": person["sub"]}, allow_redirects=False, timeout=10)
        answer = urlsplit(led.headers["Location"])
        return visitor.get(f"{answer.path}?{answer.query}")

    return go


def test_person_comes_in_with_role_and_environment_of_the_claim(
    sign_in: Callable[..., Seen], visitor: Visitor, openly: ApiServices
) -> None:
    environment = openly.environments.create(new_id())

    entered = sign_in(onwards="/ui/fleet", ferryman=["nonsense", f"{environment.name}:run"], email="ada@example.com")

    assert (entered.status, entered.headers["Location"]) == (303, "/ui/fleet")
    session = openly.dashboard.sessions.find(str(visitor.secret))
    assert session is not None
    assert (session.environment_id, session.role, session.name) == (environment.id, "run", "ada@example.com")
    seen = visitor.get("/ui/")
    assert f"environment {environment.name}" in seen.words
    assert "ada@example.com · run" in seen.words


def test_operator_sees_who_came_in_and_ends_it(
    sign_in: Callable[..., Seen], visitor: Visitor, openly: ApiServices, settings: Settings, engine: Engine
) -> None:
    environment = openly.environments.create(new_id())
    for name in ("ada@example.com", "bob@example.com"):
        sign_in(ferryman=f"{environment.name}:run", email=name)
    names = {
        "BROKER_URL": settings.broker_url,
        "DATABASE_URL": settings.database_url,
        "FERRYMAN_ENCRYPTION_KEY": settings.encryption_key,
    }

    def ferryman(*arguments: str) -> Result:
        return CliRunner(env=names).invoke(main, [*arguments, "--environment", environment.name])

    listed = ferryman("session", "list")
    assert visitor.get("/ui/").status == 200
    ended = ferryman("session", "end", "bob@example.com")

    assert "ada@example.com" in listed.output, listed.output
    assert "openid" in listed.output
    assert "Sessions ended: 1." in ended.output
    assert visitor.get("/ui/").status == 303
    assert ferryman("session", "list").output.count("@example.com") == 1
    again = ferryman("session", "end", "bob@example.com")
    assert (again.exit_code, "session 'bob@example.com' does not exist" in again.output) == (1, True)
    entries = text(
        "select action, actor_kind, actor_name from audit_entry where environment_id = :id order by created_at"
    )
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(entries, {"id": environment.id})][-3:]
    assert found[:2] == [("dashboard_session.created", "ui", name) for name in ("ada@example.com", "bob@example.com")]
    assert found[2][:2] == ("dashboard_session.deleted", "operator")


@pytest.mark.parametrize("claim", [None, "owner", "default:owner", 7, {"role": "admin"}, [], ""], ids=str)
def test_person_without_a_role_does_not_come_in(claim: Any, sign_in: Callable[..., Seen], visitor: Visitor) -> None:
    seen = sign_in(**({} if claim is None else {"ferryman": claim}))

    assert seen.status == 401
    assert "your provider gives you no role here" in seen.words
    assert visitor.secret is None


def test_unknown_environment_is_said(sign_in: Callable[..., Seen]) -> None:
    seen = sign_in(ferryman="nowhere:admin")

    assert seen.status == 401
    assert "nowhere" in seen.words


def test_answer_that_was_not_asked_for_is_refused(visitor: Visitor, provider: str) -> None:
    begun = visitor.get("/ui/sign-in/openid")
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    state = asked["state"][0]

    forged = [f"code=x&state={state}", "code=x&state=forged", "code=x", "error=access_denied", f"state={state}"]
    seen = [visitor.get(f"/ui/sign-in/openid/answer?{query}") for query in forged]

    assert asked["code_challenge_method"] == ["S256"]
    assert asked["nonce"]
    assert [one.status for one in seen] == [401] * len(forged)
    assert "canary-of-a-client" not in "".join(one.text for one in seen)
    assert visitor.secret is None


def test_provider_that_is_away_is_said(openly: ApiServices, settings: Settings) -> None:
    gone = replace(openly.dashboard.openid, issuer="http://127.0.0.1:1")  # type: ignore[type-var]
    services = replace(openly, dashboard=replace(openly.dashboard, openid=gone))

    seen = Visitor(mount(create_app(services, settings)).test_client()).get("/ui/sign-in/openid")

    assert seen.status == 401
    assert "the provider's answer can not be used" in seen.words


def test_session_of_a_person_ends_by_signing_out(
    sign_in: Callable[..., Seen], visitor: Visitor, engine: Engine
) -> None:
    sign_in(ferryman="read")
    secret = visitor.secret

    assert visitor.get("/ui/").actions == []
    visitor.post("/ui/sign-out")

    with engine.connect() as connection:
        hashed = connection.execute(
            text("select count(*) from dashboard_session where secret_hash = sha256(convert_to(:secret, 'UTF8'))"),
            {"secret": secret},
        )
        assert hashed.scalar_one() == 0


def test_page_leads_to_the_provider_where_there_is_one(visitor: Visitor, guest: Visitor) -> None:
    assert "/ui/sign-in/openid?next=/ui/fleet" in visitor.get("/ui/sign-in?next=/ui/fleet").links
    assert "provider" not in guest.get("/ui/sign-in").words
    assert guest.get("/ui/sign-in/openid").status == 404
    assert guest.get("/ui/sign-in/openid/answer?code=x&state=y").status == 404
