"""`ferryman run create --record` and `--replay`: the same records without a network, and no secret in the file."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner, Result
from cryptography.fernet import Fernet

from app.api.resources.services import ApiServices
from app.bootstrap.api import build_api_services
from app.cli.main import main
from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import EnvironmentId
from app.net.addresses import LOOPBACK
from app.services.reading.ports import RecordFilters
from app.settings import Settings
from tests.support.http_server import Request, Response
from tests.support.upstream import Upstream, reply, reply_raw

pytestmark = pytest.mark.timeout(120)

KEY = "canary/key+1 ö"
PASSWORD = "canary-password"
LITERAL = "canary-literal"
CONTEXT = {"api_key": KEY, "pair": {"user": "canary-user", "password": PASSWORD}, "subdomain": "acme-eu"}
RESOURCES = [
    {"resource": "teams", "method": "list", "persist": True, "query": {"since": "{{previous_run_date:undefined}}"}},
    {
        "resource": "members",
        "method": "list",
        "depends_on": "teams",
        "persist": True,
        "query": {"team": "{{resources.teams.id}}"},
    },
]


def config(url: str) -> JsonObject:
    return {
        "base_url": url + "/{{subdomain}}",
        "headers": {"X-Secret": LITERAL, "X-Plain": "{{api_key}}"},
        "query": {"api_key": "{{api_key}}", "region": "{{subdomain}}"},
        "authorization": {
            "format": "basic",
            "config": {"username": "{{pair.user}}", "password": "{{pair.password}}"},
        },
        "pagination": {"format": "link_header"},
        "response_path": "data",
        "resources": {
            "teams": {"list": {"path": "/teams"}},
            "members": {
                "list": {"path": "/members", "method": "post", "body": {"key": "{{api_key}}", "t": "{{query.team}}"}}
            },
        },
    }


@dataclass
class Gossip:
    """An upstream that repeats every secret that it hears, wherever it can."""

    upstream: Upstream
    refusals: int = 1
    has_no_members: bool = False
    posted: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.upstream.answers("/acme-eu/teams", self.teams)
        self.upstream.answers("/acme-eu/members", self.members)

    def teams(self, request: Request) -> Response:
        if self.refusals:
            self.refusals -= 1
            return reply({"error": KEY, "heard": request.headers["authorization"]}, 429, {"Retry-After": "0"})
        link = f"{self.upstream.url}/acme-eu/teams?page=2&api_key={quote(KEY, safe='')}"
        is_first = request.query.get("page") != "2"
        number = 1 if is_first else 2
        record = {
            "id": f"t{number}",
            "echo": KEY,
            "home": "acme-eu",
            "ö": "ü",
        }
        headers = {"Set-Cookie": f"session={PASSWORD}", "X-Echo": "canary-user"}
        return reply({"data": [record]}, 200, {**headers, **({"Link": f'<{link}>; rel="next"'} if is_first else {})})

    def members(self, request: Request) -> Response:
        self.posted.append(request.body)
        team = json.loads(request.body)["t"]
        return reply_raw(json.dumps({"data": [{"id": f"{team}-m", "key": KEY}]}, ensure_ascii=False).encode())


@dataclass
class Installation:
    """A database with a job and an account, and the command line on it."""

    url: str
    upstream: Upstream
    key: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def __post_init__(self) -> None:
        self.services: ApiServices = build_api_services(
            Settings(database_url=self.url, broker_url="memory://", encryption_key=self.key)
        )
        self.environment: EnvironmentId = self.services.tokens.default_environment()
        _, self.token = self.services.tokens.create(self.environment, "cli")
        self.services.integrations.create(self.environment, {"name": "acme", "config": config(self.upstream.url)})
        self.account = self.new_account(CONTEXT)
        self.job = self.services.jobs.create(self.environment, {"integration_name": "acme", "resources": RESOURCES}).id

    def new_account(self, context: JsonObject) -> str:
        fields = {"integration_name": "acme", "tenant_id": "t", "context": context}
        return self.services.accounts.create(self.environment, fields).id

    def ferryman(self, *arguments: str, account: str | None = None) -> Result:
        environment = {
            "DATABASE_URL": self.url,
            "BROKER_URL": "memory://",
            "FERRYMAN_ENCRYPTION_KEY": self.key,
            "FERRYMAN_ALLOWED_NETWORKS": LOOPBACK,
            "FERRYMAN_TOKEN": self.token,
        }
        command = ["run", "create", self.job, account or self.account, "--json", *arguments]
        return CliRunner(env=environment).invoke(main, command)

    def records(self, account: str) -> dict[str, JSON]:
        found = self.services.reading.records.list(self.environment, RecordFilters(integrated_account_id=account))
        return {f"{record.resource}/{record.id}": record.data for record in found.result}


@pytest.fixture
def installation(database_url: str, upstream: Upstream) -> Iterator[Installation]:
    made = Installation(database_url, upstream)
    yield made
    made.services.close()


def test_replay_gives_the_same_records_without_the_upstream(installation: Installation, tmp_path: Path) -> None:
    Gossip(installation.upstream)
    tape = tmp_path / "out.har"
    recorded = installation.ferryman("--record", str(tape))
    assert recorded.exit_code == 0, recorded.output + recorded.stderr
    expected = installation.records(installation.account)
    asked = len(installation.upstream.requests)
    other = installation.new_account({**CONTEXT, "api_key": "another-key"})

    again = installation.ferryman("--replay", str(tape))
    elsewhere = installation.ferryman("--replay", str(tape), account=other)

    assert (again.exit_code, elsewhere.exit_code) == (0, 0), again.stderr + elsewhere.stderr
    assert json.loads(again.stdout)["resource_stats"]["teams"]["list"]["unchanged"] == 2
    assert len(expected) == 4
    assert installation.records(installation.account) == expected
    assert installation.records(other)["teams/t1"] == {**expected["teams/t1"], "echo": "another-key"}
    assert len(installation.upstream.requests) == asked
    assert tape.stat().st_mode & 0o077 == 0


def test_cassette_is_a_har_file_without_any_secret(installation: Installation, tmp_path: Path) -> None:
    Gossip(installation.upstream)
    tape = tmp_path / "out.har"
    installation.ferryman("--record", str(tape))

    text = tape.read_text()
    log = json.loads(text)["log"]

    pair = base64.b64encode(f"canary-user:{PASSWORD}".encode()).decode()
    forms = [PASSWORD, LITERAL, "canary-user", KEY, quote(KEY), quote(KEY, safe=""), json.dumps(KEY)[1:-1], pair]
    assert [form for form in [*forms, "canary"] if form in text] == []
    assert (log["version"], log["creator"]["name"], log["_ferryman"]["version"]) == ("1.2", "ferryman", 1)
    statuses = [entry["response"]["status"] for entry in log["entries"]]
    assert sorted(statuses) == [200, 200, 200, 200, 429]
    first = log["entries"][0]["request"]
    assert "api_key=__context.api_key.quoted__" in first["url"]
    headers = {header["name"]: header["value"] for header in first["headers"]}
    assert (headers["Authorization"], headers["X-Plain"]) == ("***", "__context.api_key__")


def test_request_that_the_cassette_lacks_is_named(installation: Installation, tmp_path: Path) -> None:
    Gossip(installation.upstream)
    tape = tmp_path / "out.har"
    installation.ferryman("--record", str(tape))
    kept = json.loads(tape.read_text())
    (of_t2,) = [entry["request"] for entry in kept["log"]["entries"] if entry["request"]["url"].endswith("team=t2")]
    of_t2["postData"]["text"] = "{}"
    tape.write_text(json.dumps(kept))
    asked = len(installation.upstream.requests)

    result = installation.ferryman("--replay", str(tape))

    assert result.exit_code == 1
    assert "the cassette has no answer to POST" in result.stderr
    assert "/members?" in result.stderr
    assert "with this body" in result.stderr
    run = json.loads(result.stdout)
    (error,) = installation.services.runs.errors(installation.environment, run["id"], limit=9, cursor=None).result
    assert (error.code, "has no answer to POST" in error.message) == ("cassette", True)
    assert len(installation.upstream.requests) == asked


def test_replay_asks_from_when_the_recorded_run_asked_and_no_increment_goes_on_from_it(
    installation: Installation, tmp_path: Path
) -> None:
    Gossip(installation.upstream)
    first, second = tmp_path / "first.har", tmp_path / "second.har"
    installation.ferryman("--record", str(first))
    increment = json.loads(installation.ferryman("--record", str(second)).stdout)
    assert increment["previous_run_date"] is not None

    full = json.loads(installation.ferryman("--replay", str(first)).stdout)
    replayed = installation.ferryman("--replay", str(second))
    following = json.loads(installation.ferryman("--record", str(first)).stdout)

    assert full["previous_run_date"] is None
    assert replayed.exit_code == 0, replayed.stderr
    assert json.loads(replayed.stdout)["previous_run_date"] == increment["previous_run_date"]
    assert following["previous_run_date"] > increment["previous_run_date"]
    assert following["previous_run_date"] < json.loads(replayed.stdout)["created_at"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can not read"),
        ("nothing", "is no HAR file"),
        ('{"log": {"entries": [{}]}}', "is no HAR file"),
        ('{"log": {"_ferryman": {"version": 9}, "entries": []}}', "has the format 9"),
    ],
    ids=["absent", "no-json", "no-entries", "too-new"],
)
def test_file_that_is_no_cassette_is_told(
    installation: Installation, tmp_path: Path, content: str | None, message: str
) -> None:
    tape = tmp_path / "odd.har"
    if content is not None:
        tape.write_text(content)

    result = installation.ferryman("--replay", str(tape))

    assert (result.exit_code, message in result.stderr) == (1, True), result.stderr


def test_token_that_is_nowhere_is_asked_for(installation: Installation, tmp_path: Path) -> None:
    nowhere = tmp_path / "none"

    result = installation.ferryman("--record", str(tmp_path / "out.har"), "--token", "", "--data-dir", str(nowhere))

    assert (result.exit_code, result.stderr) == (1, f"Error: no token is in {nowhere}; give --token\n")


def test_place_that_can_not_be_written_is_told_before_anything_runs(installation: Installation, tmp_path: Path) -> None:
    result = installation.ferryman("--record", str(tmp_path / "nowhere" / "out.har"))

    assert (result.exit_code, "can not write" in result.stderr) == (1, True)
    assert installation.upstream.requests == []


@pytest.mark.parametrize("other", [("--replay", "x.har"), ("--group", "blue"), ("--dry-run",)], ids=lambda one: one[0])
def test_options_that_a_cassette_excludes_are_told(installation: Installation, other: tuple[str, ...]) -> None:
    result = installation.ferryman("--record", "out.har", *other)

    assert (result.exit_code, "exclude each other" in result.stderr) == (2, True)
