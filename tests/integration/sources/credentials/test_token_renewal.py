"""OAuth tokens are renewed once for all who need them, by a real token server, over a real database."""

import base64
import gzip
import json
import multiprocessing
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from sqlalchemy import Engine, text

from app.engine.accounts.oauth import TokenRequest
from app.engine.ids import new_id
from app.engine.integrations.config import parse_config
from app.engine.json_types import JsonObject
from app.engine.objects.environments import EnvironmentId
from app.engine.record_errors import SourceError
from app.net.addresses import LOOPBACK, AllowedNetworks
from app.net.loop import LoopThread
from app.services.accounts.credentials import CredentialService
from app.services.ports import PageCall
from app.sources.credentials.token_cache import TokenCache
from app.sources.credentials.token_endpoint import HttpTokenEndpoint
from app.sources.http_source import HttpSource
from app.store.accounts.accounts import AccountStore
from app.store.accounts.credentials import CredentialStore
from app.store.catalog.integrations import IntegrationStore
from app.store.catalog.tokens import TokenStore
from app.store.db.database import connect
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from tests.integration.sources.raw_upstream import SETTINGS
from tests.support.http_server import HttpServer, Request, Response
from tests.support.patience import LONGEST_SECONDS

# The same in every process of a test.
KEY = base64.urlsafe_b64encode(b"k" * 32).decode()


class _Clock:
    def now(self) -> datetime:
        return datetime.now(UTC)


class TokenServer:
    """An upstream and its token endpoint; each refresh token works once."""

    def __init__(self) -> None:
        self.access, self.refresh = "access-0", "refresh-0"
        self.asked: list[dict[str, str]] = []
        self.received: list[Request] = []
        self.refused = 0
        self.answer: Response | None = None
        self.takes_any_token = True
        self.on_call: Callable[[Request], Response | None] = lambda _: None
        """May answer a call, or change what the server takes."""
        self._server = HttpServer(self._answer)
        self.url = self._server.url

    def close(self) -> None:
        self._server.close()

    def _answer(self, request: Request) -> Response:
        if request.path == "/oauth/token":
            self.received.append(request)
            return self._token(dict(parse_qsl(request.body.decode())))
        if (answer := self.on_call(request)) is not None:
            return answer
        if request.headers.get("authorization") == f"Bearer {self.access}" and self.takes_any_token:
            return Response(body=b'[{"id": 1}]', headers={"Content-Type": "application/json"})
        self.refused += 1
        return Response(status=401, body=b"{}")

    def _token(self, fields: dict[str, str]) -> Response:
        self.asked.append(fields)
        time.sleep(0.2)
        if self.answer is not None:
            return self.answer
        is_known = fields.get("refresh_token") == self.refresh or fields["grant_type"] == "client_credentials"
        if not is_known:
            return Response(status=400, body=b'{"error": "invalid_grant"}')
        number = len(self.asked)
        self.access, self.refresh = f"access-{number}", f"refresh-{number}"
        body = f'{{"access_token": "{self.access}", "refresh_token": "{self.refresh}", "expires_in": 3600}}'
        return Response(body=body.encode())


@dataclass
class Place:
    """An account of an integration with OAuth, and one process that fetches for it."""

    engine: Engine = field(repr=False)
    base_url: str
    account_id: str = ""
    grant: str = "oauth2"

    def __post_init__(self) -> None:
        cipher = Cipher(KEY, KeyStore(self.engine))
        self.accounts = AccountStore(self.engine, cipher)
        self.integrations = IntegrationStore(self.engine, cipher)
        self.endpoint = HttpTokenEndpoint(loop=LoopThread("tokens"), allowed=AllowedNetworks.parse(LOOPBACK))
        self.service = CredentialService(
            store=CredentialStore(self.engine, cipher),
            ask_for_token=self.endpoint.request_token,
            clock=_Clock(),
            pause=time.sleep,
        )
        self.source = HttpSource(
            replace(SETTINGS, requests_per_account=20, requests_at_start=20),
            credentials=TokenCache(self.service, _Clock().now, replication_seconds=0.2),
        )

    def close(self) -> None:
        self.source.close()
        self.endpoint.close()

    def connect_account(self, token: JsonObject) -> EnvironmentId:
        environment = TokenStore(self.engine).ensure_environment(new_id())
        made = self.integrations.create(environment, new_id(), {"name": new_id(), "config": self.raw_config})
        values = {"integration_id": made.id, "tenant_id": "t", "authentication_method": "oauth2"}
        self.account_id = new_id()
        self.accounts.create(environment, self.account_id, values, context={"oauth": {"token": token}})
        return environment

    @property
    def raw_config(self) -> JsonObject:
        client = {"id": "client", "secret": "client-secret"}
        config = {"client": client, "auth": {"tokenHost": self.base_url}, "scope": ["read", "all"]}
        return {
            "base_url": self.base_url,
            "credentials": {"format": self.grant, "config": config},
            "authorization": {"format": "bearer"},
        }

    def call(self, context: JsonObject) -> PageCall:
        config, _ = parse_config(self.raw_config)
        assert config is not None
        return PageCall(
            account_id=self.account_id,
            config=config,
            context=context,
            resource="things",
            method="list",
            run_id=new_id(),
        )

    def fetch(self, context: JsonObject, times: int = 1) -> list[Any]:
        futures = [self.source.submit(self.call(context)) for _ in range(times)]
        return [future.result(timeout=LONGEST_SECONDS).records for future in futures]

    def row(self) -> Any:
        with self.engine.connect() as connection:
            statement = text("select status, last_error from integrated_account where id = :id")
            return connection.execute(statement, {"id": self.account_id}).one()


class MovingPlace(Place):
    """An account that is where its token says, and whose secrets were given for some origins."""

    @property
    def raw_config(self) -> JsonObject:
        return {**super().raw_config, "base_url": "{{context.oauth.token.instance_url}}"}

    def call(self, context: JsonObject) -> PageCall:
        return replace(super().call(context), origins=self.service.read_current(self.account_id)[1])


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    engine = connect(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    server = TokenServer()
    yield server
    server.close()


@pytest.fixture
def place(engine: Engine, server: TokenServer) -> Iterator[Place]:
    place = Place(engine, server.url)
    yield place
    place.close()


def context(token: str = "stale", refresh: str | None = "refresh-0", **fields: object) -> JsonObject:
    return {"oauth": {"token": {"access_token": token, "refresh_token": refresh, **fields}}}


def token_of(stale: JsonObject) -> JsonObject:
    token: JsonObject = stale["oauth"]["token"]
    return token


def fetch_in_process(database_url: str, base_url: str, account_id: str, results: Any) -> None:
    """Fetch five times at once, as a daemon of its own."""
    engine = connect(database_url)
    place = Place(engine, base_url, account_id)
    results.put(len(place.fetch(context(), times=5)))
    place.close()
    engine.dispose()


def test_a_renewed_token_leads_its_account_to_the_origin_that_the_endpoint_names(
    engine: Engine, server: TokenServer
) -> None:
    place, there = MovingPlace(engine, server.url), server.url.replace("127.0.0.1", "localhost")
    before = context(expires_at="2020-01-01T00:00:00Z", instance_url="http://before.test")
    place.connect_account(token_of(before))
    place.accounts.approve_origins(place.account_id, ["http://before.test", server.url], None)
    server.access = "moved"
    server.answer = Response(body=json.dumps({"access_token": "moved", "instance_url": there}).encode())

    records = place.fetch(before)
    renewed = place.service.store.read_context(place.account_id)
    again = place.fetch(renewed)
    place.close()

    assert records == again == [[{"id": 1}]]
    assert place.service.read_current(place.account_id)[1] == {"http://before.test", server.url, there}


def test_a_refresh_token_goes_to_no_endpoint_that_it_was_not_given_for(place: Place, server: TokenServer) -> None:
    before = context(expires_at="2020-01-01T00:00:00Z")
    place.connect_account(token_of(before))
    place.accounts.approve_origins(place.account_id, ["http://before.test"], None)

    with pytest.raises(SourceError) as caught:
        place.fetch(before)

    assert (caught.value.code, server.asked) == ("origin_changed", [])


def test_ten_requests_in_two_processes_renew_a_refused_token_once(
    place: Place, server: TokenServer, database_url: str
) -> None:
    environment = place.connect_account(token_of(context()))
    spawned = multiprocessing.get_context("spawn")
    results = spawned.Queue()
    arguments = (database_url, server.url, place.account_id, results)
    processes = [spawned.Process(target=fetch_in_process, args=arguments) for _ in range(2)]

    for process in processes:
        process.start()
    fetched = [results.get(timeout=LONGEST_SECONDS) for _ in processes]
    for process in processes:
        process.join(timeout=LONGEST_SECONDS)

    assert fetched == [5, 5]
    assert len(server.asked) == 1
    account = place.accounts.get(environment, place.account_id)
    assert account is not None
    kept = token_of(account.context)
    assert (kept["access_token"], kept["refresh_token"]) == ("access-1", "refresh-1")
    assert account.status == "active"


def test_processes_that_need_a_token_at_the_same_moment_ask_once(
    engine: Engine, place: Place, server: TokenServer
) -> None:
    place.connect_account(token_of(context()))
    others = [Place(engine, server.url, place.account_id) for _ in range(4)]

    with ThreadPoolExecutor(5) as pool:
        results = list(pool.map(lambda one: one.fetch(context(), times=2), [place, *others]))
    for other in others:
        other.close()

    assert results == [[[{"id": 1}]] * 2] * 5
    assert len(server.asked) == 1


def test_a_token_that_expires_soon_is_renewed_before_it_is_used(place: Place, server: TokenServer) -> None:
    stale = context(expires_at=(datetime.now(UTC) + timedelta(seconds=20)).isoformat())
    place.connect_account(token_of(stale))

    place.fetch(stale)

    assert (server.refused, len(server.asked)) == (0, 1)
    assert server.asked[0] == {
        "grant_type": "refresh_token",
        "refresh_token": "refresh-0",
        "client_id": "client",
        "client_secret": "client-secret",
    }


def test_client_credentials_ask_for_the_first_token(engine: Engine, server: TokenServer) -> None:
    place = Place(engine, server.url, grant="oauth2_client_credentials")
    place.connect_account({})

    assert place.fetch({}) == [[{"id": 1}]]
    assert place.fetch({}) == [[{"id": 1}]]

    assert [asked["grant_type"] for asked in server.asked] == ["client_credentials"]
    assert server.asked[0]["scope"] == "read all"
    place.close()


def test_a_renewed_token_is_used_without_another_look(place: Place, server: TokenServer) -> None:
    place.connect_account(token_of(context()))

    place.fetch(context())
    place.fetch(context(), times=3)

    assert (server.refused, len(server.asked)) == (1, 1)


def test_a_dead_grant_makes_the_account_need_a_person(place: Place, server: TokenServer) -> None:
    place.connect_account(token_of(context(refresh="revoked")))

    with pytest.raises(SourceError) as caught:
        place.fetch(context(refresh="revoked"))

    assert caught.value.code == "needs_reauth"
    assert "'invalid_grant'" in caught.value.message
    assert place.account_id in caught.value.message
    assert place.row().status == "needs_reauth"
    assert "invalid_grant" in place.row().last_error


def test_a_dead_grant_of_an_old_token_is_no_fault_of_the_account(place: Place, server: TokenServer) -> None:
    environment = place.connect_account(token_of(context(refresh="revoked")))
    server.answer = Response(status=400, body=b'{"error": "invalid_grant"}')

    def sign_in_again() -> None:
        time.sleep(0.1)
        place.accounts.update(environment, place.account_id, {}, change_context=lambda _: context("access-0"))

    with ThreadPoolExecutor(1) as pool:
        person = pool.submit(sign_in_again)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(place.service.store, "read_context", lambda _id: (person.result(), context("access-0"))[1])
            fetched = place.fetch(context(refresh="revoked"))

    assert fetched == [[{"id": 1}]]
    assert place.row().status == "active"


def test_a_fresh_token_that_is_refused_is_not_renewed_again(place: Place, server: TokenServer) -> None:
    place.connect_account(token_of(context()))
    server.takes_any_token = False

    for _ in range(3):
        with pytest.raises(SourceError, match="401") as caught:
            place.fetch(context())

    assert caught.value.code == "needs_reauth"
    assert len(server.asked) == 1
    assert place.row().status == "needs_reauth"


def just_now() -> str:
    return datetime.now(UTC).isoformat()


@pytest.mark.parametrize("refusals", [1, 2])
def test_a_new_token_that_is_refused_at_once_is_tried_once_more(
    place: Place, server: TokenServer, refusals: int
) -> None:
    place.connect_account(token_of(context()))
    carried: list[str] = []

    def replicate_late(request: Request) -> Response | None:
        carried.append(request.headers["authorization"])
        is_known = carried.count("Bearer access-1") > refusals
        return None if is_known or carried[-1] != "Bearer access-1" else Response(status=401, body=b"{}")

    server.on_call = replicate_late
    with nullcontext() if refusals == 1 else pytest.raises(SourceError, match="401"):
        place.fetch(context())

    assert carried == ["Bearer stale", "Bearer access-1", "Bearer access-1"]
    assert len(server.asked) == 1
    assert place.row().status == ("active" if refusals == 1 else "needs_reauth")


@pytest.mark.parametrize("refresh", ["refresh-0", None])
def test_a_refused_token_that_another_one_replaced_meanwhile_is_no_fault_of_the_account(
    place: Place, server: TokenServer, refresh: str | None
) -> None:
    known = context("access-0", refresh, renewed_at=just_now())
    environment = place.connect_account(token_of(known))

    def replace_it(request: Request) -> None:
        if server.access == "access-0":
            server.access = "access-9"
            changed = context("access-9", refresh, renewed_at=just_now())
            place.accounts.update(environment, place.account_id, {}, change_context=lambda _: changed)

    server.on_call = replace_it

    assert place.fetch(known) == [[{"id": 1}]]
    assert (server.refused, len(server.asked), place.row().status) == (1, 0, "active")


def test_a_call_ends_whose_token_is_always_replaced_and_refused(place: Place, server: TokenServer) -> None:
    known = context("access-0", renewed_at=just_now())
    environment = place.connect_account(token_of(known))
    carried: list[str] = []

    def replace_it(request: Request) -> Response:
        carried.append(request.headers["authorization"])
        changed = context(f"access-{len(carried)}", renewed_at=just_now())
        place.accounts.update(environment, place.account_id, {}, change_context=lambda _: changed)
        return Response(status=401, body=b"{}")

    server.on_call = replace_it
    with pytest.raises(SourceError, match="401"):
        place.fetch(known)

    assert carried == [f"Bearer access-{number}" for number in range(5)]
    assert place.row().status == "active"


def test_an_account_that_was_refused_for_a_while_is_active_again_once_the_call_succeeds(
    place: Place, server: TokenServer
) -> None:
    known = context("access-0", refresh=None)
    place.connect_account(token_of(known))
    seen = []

    for takes_any_token in (False, True, False, True):
        server.takes_any_token = takes_any_token
        with nullcontext() if takes_any_token else pytest.raises(SourceError, match="401"):
            place.fetch(known)
        seen.append(tuple(place.row()))

    refused = ("needs_reauth", "the upstream answered 401 Unauthorized")
    assert seen == [refused, ("active", None)] * 2


def test_a_process_that_has_read_that_an_account_is_refused_ends_it_by_a_success(
    place: Place, server: TokenServer
) -> None:
    known = context("access-0", refresh=None)
    place.connect_account(token_of(known))
    place.service.refuse(place.account_id, token="access-0", reason="401", run_id="", call="things.list")

    untold = place.source.submit(place.call(known)).result(timeout=LONGEST_SECONDS)
    before = place.row().status
    place.source.submit(replace(place.call(known), is_refused=True)).result(timeout=LONGEST_SECONDS)

    assert (untold.records, before, place.row().status) == ([{"id": 1}], "needs_reauth", "active")


def test_new_credentials_make_an_account_active_again(place: Place, server: TokenServer) -> None:
    environment = place.connect_account(token_of(context(refresh="revoked")))
    with pytest.raises(SourceError):
        place.fetch(context(refresh="revoked"))

    place.accounts.update(environment, place.account_id, {}, change_context=lambda _: context("access-0"))

    assert tuple(place.row()) == ("active", None)


@pytest.mark.parametrize(
    ("answer", "code", "asked"),
    [
        (Response(status=503), "token_endpoint", 3),
        (Response(status=401, body=b'{"error": "invalid_client"}'), "token_endpoint", 1),
        (Response(status=302, headers={"Location": "http://169.254.169.254/"}), "token_endpoint", 1),
        (Response(status=425), "token_endpoint", 3),
        (Response(body=b"<html>"), "token_endpoint", 3),
        (Response(body=b'{"access_token": "x'), "token_endpoint", 3),
        (Response(body=gzip.compress(b"{}")[:12], headers={"Content-Encoding": "gzip"}), "token_endpoint", 3),
        (Response(body=b'{"token_type": "bearer"}'), "token_endpoint", 1),
        (Response(body=b'{"access_token": "' + b"x" * 300_000 + b'"}'), "token_endpoint", 1),
    ],
    ids=["down", "wrong client", "redirect", "early", "not JSON", "cut", "packed and cut", "no token", "too large"],
)
def test_a_token_endpoint_that_gives_none_is_an_error_that_keeps_the_account(
    place: Place, server: TokenServer, answer: Response, code: str, asked: int
) -> None:
    place.connect_account(token_of(context()))
    server.answer = answer

    with pytest.raises(SourceError) as caught:
        place.fetch(context())

    assert (caught.value.code, len(server.asked)) == (code, asked)
    is_unreadable = asked == 3 and answer.status == 200
    assert ("with no JSON object" in str(caught.value)) is is_unreadable
    assert not any(secret in str(caught.value) for secret in ("client-secret", "refresh-0", "stale"))
    assert place.row().status == "active"


@pytest.mark.parametrize(
    "body",
    [
        b"access_token=access-0&refresh_token=r%2F1&expires_in=28800&scope=read%2Call&token_type=bearer",
        b'{"data": {"access_token": "access-0", "refresh_token": "r/1", "expires_in": "28800"}}',
        b'{"accessToken": "access-0", "refreshToken": "r/1", "expires": 28800}',
    ],
    ids=["form", "nested", "other names"],
)
def test_a_token_is_read_in_whatever_form_it_comes(place: Place, server: TokenServer, body: bytes) -> None:
    environment = place.connect_account(token_of(context()))
    server.answer = Response(body=body)

    fetched = place.fetch(context())

    account = place.accounts.get(environment, place.account_id)
    assert account is not None
    assert fetched == [[{"id": 1}]]
    assert token_of(account.context)["refresh_token"] == "r/1"
    assert token_of(account.context)["expires_at"] is not None


def test_a_form_that_tells_of_a_dead_grant_makes_the_account_need_a_person(place: Place, server: TokenServer) -> None:
    place.connect_account(token_of(context()))
    server.answer = Response(body=b"error=bad_refresh_token&error_description=The+refresh+token+is+gone")

    with pytest.raises(SourceError, match="bad_refresh_token"):
        place.fetch(context())

    assert place.row().status == "needs_reauth"


def test_a_client_is_shown_as_it_is_where_the_endpoint_wants_that(place: Place, server: TokenServer) -> None:
    request = TokenRequest(
        url=f"{server.url}/oauth/token",
        fields={"grant_type": "client_credentials", "resource": ["a b", "c"], "flag": True},
        basic=("me@acme", "p/w"),
        is_loosely_encoded=True,
    )

    place.endpoint.request_token(request)

    assert server.received[-1].body == b"grant_type=client_credentials&resource=a%20b&resource=c&flag=true"
    assert server.received[-1].headers["authorization"] == f"Basic {base64.b64encode(b'me@acme:p/w').decode()}"


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"{" + b" " * 300_000, "identity"), (gzip.compress(b" " * 50_000_000), "gzip")],
    ids=["long", "packed"],
)
def test_an_answer_of_a_token_endpoint_is_read_up_to_a_limit(
    place: Place, server: TokenServer, body: bytes, encoding: str
) -> None:
    server.answer = Response(body=body, headers={"Content-Encoding": encoding})

    with pytest.raises(SourceError, match="answered more than 262144 bytes"):
        place.endpoint.request_token(TokenRequest(url=f"{server.url}/oauth/token", fields={"grant_type": "x"}))


def test_a_packed_token_is_read(place: Place, server: TokenServer) -> None:
    server.answer = Response(body=gzip.compress(b'{"access_token": "x"}'), headers={"Content-Encoding": "gzip"})

    assert place.endpoint.request_token(TokenRequest(url=f"{server.url}/oauth/token", fields={"grant_type": "x"})) == {
        "access_token": "x"
    }


def test_a_token_endpoint_can_not_be_a_place_within(place: Place) -> None:
    guarded = HttpTokenEndpoint(loop=LoopThread("tokens"), allowed=AllowedNetworks())
    place.service = replace(place.service, ask_for_token=guarded.request_token)
    place.connect_account(token_of(context()))
    grant = place.call({}).config.grants[0]

    with pytest.raises(SourceError) as caught:
        place.service.renew(place.account_id, grant, stale="stale")

    assert caught.value.code == "blocked_address"
    assert "FERRYMAN_ALLOWED_NETWORKS" in caught.value.message
    guarded.close()


def test_a_token_that_could_not_be_stored_at_once_is_stored_later(place: Place, server: TokenServer) -> None:
    environment = place.connect_account(token_of(context()))
    grant = place.call({}).config.grants[0]
    begun = _end_sessions_when_asked(server, place.engine)

    fresh = place.service.renew(place.account_id, grant, stale="stale")

    account = place.accounts.get(environment, place.account_id)
    assert begun
    assert account is not None
    assert token_of(account.context)["access_token"] == token_of(fresh)["access_token"] == "access-1"
    assert len(server.asked) == 1


def _end_sessions_when_asked(server: TokenServer, engine: Engine) -> list[int]:
    """Have Postgres end the session that holds the row's lock while the token server is asked."""
    ended: list[int] = []
    inner = server._token

    def token(fields: dict[str, str]) -> Response:
        with engine.connect() as connection:
            statement = text(
                "select count(pg_terminate_backend(pid)) from pg_stat_activity"
                " where datname = current_database() and pid <> pg_backend_pid()"
            )
            ended.append(connection.execute(statement).scalar_one())
        return inner(fields)

    server._token = token  # type: ignore[method-assign]
    return ended
