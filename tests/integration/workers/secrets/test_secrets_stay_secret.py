"""Secrets of every shape are planted wherever Ferryman holds some; then all that it wrote is searched for them."""

import base64
import html
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from click.testing import CliRunner

from app.cli.main import main
from app.client import ApiError
from app.stack.stack import Stack
from tests.integration.workers.secrets.secret_search import Reader, broker_traffic, found_in, the_database
from tests.support.collector import Collector
from tests.support.ferryman import IMPATIENT
from tests.support.http_server import Request, Response
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, reply
from tests.support.workspace import Sync, Workspace, listed

# Declared and undeclared names of the context; literals in headers, parameters, addresses and bodies; of all layers.
_KINDS = """
    access_token refresh_token new_access_token new_refresh_token client_secret header_key query_key config_key
    context_password basic_password pat pass apitoken key cert odd_name listed declared default_key
    partner_key hapikey base_url_key path_key body_key endpoint_key override_key account_key
"""
PLANTED = {kind: f"canary{index:02d}x{kind.replace('_', '')}x/+=7f3a9" for index, kind in enumerate(_KINDS.split())}
RESOURCES = ("things", "broken", "refused", "keyed", "echoed")
WRITINGS: list[Callable[[str], str]] = [
    str,
    lambda text: quote(quote(text, safe=""), safe="").lower(),
    lambda text: json.dumps(json.dumps(text)).replace("/", "\\/"),
    lambda text: html.escape(text).replace("/", "&#x2F;").replace("+", "&plus;"),
    lambda text: "".join(f"\\u{ord(one):04X}" for one in text),
]


def echo(request: Request) -> list[str]:
    """Repeat a request in every writing."""
    told = json.dumps([request.headers, request.query, request.target, request.body.decode()])
    return [write(told) for write in WRITINGS]


@pytest.fixture
def evil(upstream: Upstream) -> Upstream:
    """An upstream that repeats every secret that it is told: in errors, answers, and addresses of next pages."""
    tokens: list[Response] = []

    def token(_request: Request) -> Response:
        tokens.append(reply())
        if len(tokens) > 1:
            return reply({"error": "invalid_grant", "error_description": " ".join(PLANTED.values())}, status=400)
        fresh = {"access_token": PLANTED["new_access_token"], "refresh_token": PLANTED["new_refresh_token"]}
        return reply({**fresh, "expires_in": 3600})

    def things(request: Request) -> Response:
        if PLANTED["access_token"] in request.headers.get("authorization", ""):
            return reply({"error": echo(request)}, status=401)
        if request.query.get("page") == "2":
            return reply([{"id": 2}])
        keys = "&".join(f"{name}={quote(request.query[name], safe='')}" for name in ("api_key", "hapikey", "k"))
        link = f'<{upstream.url}/things?page=2&{keys}&seen={quote(PLANTED["pat"], safe="")}>; rel="next"'
        return reply([{"id": 1}], headers={"Link": link})

    upstream.answers("/oauth/token", token)
    upstream.answers("/things", things)
    upstream.answers("/broken", lambda request: reply({"error": echo(request)}, status=400))
    upstream.answers("/keyed", lambda request: reply({"error": echo(request)[3]}, status=422))
    upstream.answers("/refused", lambda request: reply({"error": echo(request)}, status=401))
    upstream.answers("/echoed", lambda request: reply([{"id": 3, "told": echo(request)[0]}]))
    return upstream


def read_account_config(url: str) -> dict[str, Any]:
    client = {"id": "client", "secret": PLANTED["client_secret"]}
    endpoint = {"tokenHost": url, "tokenPath": f"/oauth/token?partner={quote(PLANTED['endpoint_key'])}"}
    fields = [{"name": "site", "type": "text"}, {"name": "declared", "type": "password"}]
    return {
        "base_url": f"{url}?k={quote(PLANTED['base_url_key'], safe='')}",
        "headers": {
            "X-Api-Key": PLANTED["header_key"],
            "X-Partner-Key": PLANTED["partner_key"],
            "X-Config-Key": "{{context.signing_key}}",
            "X-Default": f"Token {{{{context.absent?:{PLANTED['default_key']}}}}}",
            "X-Personal": "{{context.pat}} {{context.pass}} {{context.key}} {{context.cert}} {{context.apitoken}}",
            "X-Declared": "{{context.declared}}",
            "Accept-Language": "en-GB",
        },
        "query": {"api_key": "{{context.api_key}}", "hapikey": PLANTED["hapikey"], "limit": 1000},
        "credentials": {"format": "oauth2", "config": {"client": client, "auth": endpoint, "fields": fields}},
        "authorization": {"format": "bearer"},
        "pagination": {"format": "link_header"},
        "resources": {
            "keyed": {
                "list": {
                    "path": f"/keyed?key={quote(PLANTED['path_key'], safe='')}",
                    "method": "post",
                    "body": {"auth": {"pin": PLANTED["body_key"]}},
                }
            }
        },
    }


CONTEXT = {
    "oauth": {"token": {"access_token": PLANTED["access_token"], "refresh_token": PLANTED["refresh_token"]}},
    "api_key": PLANTED["query_key"],
    "signing_key": PLANTED["config_key"],
    "password": PLANTED["context_password"],
    "basic": {"password": PLANTED["basic_password"]},
    "some": [{"thing": PLANTED["listed"]}],
    "site": "acme-site",
    **{name: PLANTED[name] for name in ("pat", "pass", "apitoken", "key", "cert", "odd_name", "declared")},
}


def test_no_secret_is_in_anything_that_is_written_or_shown(
    ferryman: Stack, workspace: Workspace, evil: Upstream, receiver: Receiver, collector: Collector, tmp_path: Path
) -> None:
    api = workspace.api
    with broker_traffic(ferryman) as traffic:
        jobs = [listed(name) for name in RESOURCES[:4]]
        sync = workspace.sync(evil.url, jobs, config=read_account_config(evil.url), context=CONTEXT)
        _override(workspace, sync.account_id)
        webhook_id = workspace.webhook(receiver)
        runs = [sync.run(), sync.run(webhook_id=webhook_id, error_handling="batch", version=2)]
        with pytest.raises(ApiError):
            api.post("/webhook/test", {"id": sync.account_id})
        dry_run = api.post("/sync-job-run", {**sync.body, "dry_run": True})
        tape = _recorded(ferryman, sync, tmp_path / "out.har")
    codes = {error["code"] for run in runs for error in sync.errors(str(run["id"]))}

    secrets = {**PLANTED, "webhook_secret": receiver.secret.removeprefix("whsec_")}
    pages = [*the_database(ferryman.database_url), *_shown(ferryman, workspace, sync.account_id)]
    pages += [("the broker", b"\n".join(traffic)), ("the dry run", json.dumps(dry_run).encode())]
    pages += [(f"log {path.name}", path.read_bytes()) for path in Path(ferryman.data.logs).iterdir()]
    pages += [("the HAR file", tape)]
    traced = [span for run in runs for span in collector.wait_for(str(run["id"]), "run", "settle")]
    pages += [("traces", body) for body in collector.bodies]
    pages += [("deliveries", json.dumps([delivery.body for delivery in receiver.deliveries]).encode())]
    leaks = sorted({leak for place, content in pages for leak in found_in(place, content, secrets)})

    assert leaks == []
    assert {"http_400", "http_422", "needs_reauth"} <= codes
    assert {400, 401, 422} <= {one["response"]["status"] for one in json.loads(tape)["log"]["entries"]}
    assert sync.records("things") == {"1": {"id": 1}, "2": {"id": 2}}
    assert any(b"sync_unit" in line for line in traffic)
    assert {"GET /things", "POST /keyed", "POST"} <= {span.name for span in traced}
    assert _sent(evil) >= {
        PLANTED[kind] for kind in ("query_key", "hapikey", "base_url_key", "override_key", "account_key")
    }
    shown = dict(pages)
    asked = f"integrated_account_id={sync.account_id}"
    assert b"acme-site" in shown[f"GET /integrated-account/{sync.account_id}? as read"]
    assert all(b'"told":' in shown[f"GET /proxy/echoed?{asked} as {role}"] for role in ("run", "account"))
    assert all(b"en-GB" in shown[f"GET /custom/broken?{asked} as {role}"] for role in ("run", "account"))
    assert any(b'"X-Partner-Key":"********"' in page and b"en-GB" in page for page in shown.values())


def _recorded(ferryman: Stack, sync: Sync, file: Path) -> bytes:
    """Carry the job out in this process, and give what it has kept of its exchanges."""
    names = ("DATABASE_URL", "FERRYMAN_SESSION_DATABASE_URL", "FERRYMAN_ENCRYPTION_KEY", *IMPATIENT)
    settings = {name: value for name, value in ferryman.environment.items() if name in names}
    token = sync.api.post("/api-token", {"name": "tape", "role": "run", "expires_at": "2999-01-01T00:00:00Z"})
    environment = {**settings, "BROKER_URL": "memory://", "FERRYMAN_TOKEN": token["token"]}
    command = ["run", "create", sync.job_id, sync.account_id, "--json", "--record", str(file)]
    told = CliRunner(env=environment).invoke(main, command)
    assert file.exists(), told.output
    return file.read_bytes()


def _override(workspace: Workspace, account_id: str) -> None:
    """Plant literals in what an environment and an account lay over the config."""
    account = workspace.api.get(f"/integrated-account/{account_id}")
    headers = {"headers": {"X-Environment": PLANTED["override_key"]}}
    installed = {"integration_id": account["integration_id"], "override": headers}
    workspace.api.post("/environment-integration", installed)
    override = {"headers": {"X-Account": PLANTED["account_key"]}}
    workspace.api.patch(f"/integrated-account/{account_id}", {"integration_override": override})


def _shown(ferryman: Stack, workspace: Workspace, account_id: str) -> list[tuple[str, bytes]]:
    """Read everything with a token of each role, and with the account's own."""
    api = workspace.api
    # The account first: its calls are counted, whoever makes them.
    body = {"integrated_account_id": account_id}
    tokens = {"account": api.post("/integrated-account/token", body)["integrated_account_token"]}
    for role in ("run", "read", "admin"):
        token = {"name": role, "role": role, "expires_at": "2999-01-01T00:00:00Z"}
        tokens[role] = api.post("/api-token", token)["token"]
    names = {"integrated_account_id": [account_id], "resource": RESOURCES, "path": RESOURCES, "model": ["none"]}
    reader = Reader(api.get("/openapi.json"), names)
    return [page for role, token in tokens.items() for page in reader.read(role, ferryman.api_url, token)]


def _sent(evil: Upstream) -> set[str]:
    """List what an upstream was told."""
    return {text for request in evil.requests for text in (*request.query.values(), *request.headers.values())}


def test_the_search_finds_what_it_looks_for() -> None:
    secret = {"key": PLANTED["header_key"]}
    hidden = base64.b64encode(json.dumps({"args": [PLANTED["header_key"]]}).encode())

    for write in WRITINGS:
        assert found_in("a", write(PLANTED["header_key"]).encode(), secret) == ["key in a"]
    assert found_in("b", b'{"body": "' + hidden + b'"}', secret) == ["key in b"]
    assert found_in("c", b"nothing", secret) == []
