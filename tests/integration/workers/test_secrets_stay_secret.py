"""Secrets are planted wherever Ferryman holds some; then all that it has written is searched for them."""

import base64
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from sqlalchemy import text

from app.client import ApiClient, ApiError
from app.stack.stack import Stack
from app.store.database import connect
from tests.support.receiver import Receiver
from tests.support.upstream import Upstream, reply
from tests.support.workspace import Workspace, listed

PLANTED = {
    kind: f"canary{index:02d}x{kind.replace('_', '')}x7f3a9"
    for index, kind in enumerate(
        [
            *("access_token", "refresh_token", "new_access_token", "new_refresh_token", "client_secret", "header_key"),
            *("query_key", "config_key", "url_password", "context_password", "basic_password"),
        ]
    )
}
# Whole tables as text; what is bytes is shown in hex, and searched once more as it is.
_TABLES = "select table_name from information_schema.tables where table_schema = 'public'"
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{24,}={0,2}")


@contextmanager
def broker_traffic(stack: Stack) -> Iterator[list[bytes]]:
    """Gather every command that anybody sends to Redis meanwhile: messages, events for Flower, budgets."""
    path = stack.broker_url.partition("://")[2].partition("?")[0]
    client = redis.Redis(unix_socket_path=path)
    seen: list[bytes] = []
    stop = threading.Event()

    def listen() -> None:
        with client.monitor() as monitor:
            while not stop.is_set():
                seen.append(monitor.connection.read_response())

    client.config_set("save", "")
    thread = threading.Thread(target=listen, daemon=True)
    thread.start()
    yield seen
    stop.set()
    client.ping()
    thread.join(timeout=5)
    client.close()


def found_in(place: str, content: bytes, secrets: dict[str, str]) -> list[str]:
    """Name the secrets that stand in some bytes, as they are or in base64."""
    texts = [content, *(_decoded(match) for match in _BASE64.findall(content))]
    return [
        f"{kind} in {place}" for kind, secret in secrets.items() if any(secret.encode() in content for content in texts)
    ]


def _decoded(match: bytes) -> bytes:
    try:
        return base64.b64decode(match + b"=" * (-len(match) % 4), altchars=b"-_" if b"_" in match else None)
    except ValueError:
        return b""


def the_database(url: str) -> Iterator[tuple[str, bytes]]:
    engine = connect(url, pool_size=1)
    with engine.connect() as connection:
        for table in connection.execute(text(_TABLES)).scalars().all():
            for row in connection.execute(text(f'select * from "{table}"')).mappings():
                for column, value in row.items():
                    shown = bytes(value) if isinstance(value, bytes | memoryview) else json.dumps(value, default=str)
                    yield f"{table}.{column}", shown if isinstance(shown, bytes) else shown.encode()
    engine.dispose()


def the_api(api: ApiClient, account_id: str, run_ids: list[str], webhook_id: str) -> Iterator[tuple[str, bytes]]:
    paths = [
        "/integration",
        "/integrated-account",
        "/webhook",
        "/sync-job",
        "/sync-job-run",
        "/daemon",
        "/openapi.json",
    ]
    paths += [f"/sync-job-run/{id}{part}" for id in run_ids for part in ("", "/errors")]
    paths += [f"/webhook/{webhook_id}/deliveries", f"/integrated-account/{account_id}"]
    for path in paths:
        yield f"GET {path}", json.dumps(api.get(path)).encode()
    queries = [{"integrated_account_id": account_id, "resource": name} for name in ("things", "broken", "refused")]
    for query in queries:
        yield f"GET /record?{query}", json.dumps(api.get("/record", query)).encode()


@pytest.fixture
def evil(upstream: Upstream) -> Upstream:
    """An upstream that repeats every secret that it is told, in errors and in the addresses of next pages."""

    def echo(request: object) -> str:
        return json.dumps([request.headers, request.query, request.path])  # type: ignore[attr-defined]

    state = {"tokens": 0}

    def token(_request: object) -> object:
        state["tokens"] += 1
        if state["tokens"] > 1:
            return reply({"error": "invalid_grant", "error_description": " ".join(PLANTED.values())}, status=400)
        fresh = {"access_token": PLANTED["new_access_token"], "refresh_token": PLANTED["new_refresh_token"]}
        return reply({**fresh, "expires_in": 3600})

    def things(request: object) -> object:
        query, headers = request.query, request.headers  # type: ignore[attr-defined]
        if PLANTED["access_token"] in headers.get("authorization", ""):
            return reply({"error": echo(request)}, status=401)
        if query.get("page") == "2":
            return reply([{"id": 2}])
        link = f'<{upstream.url}/things?page=2&api_key={query["api_key"]}>; rel="next"'
        return reply([{"id": 1}], headers={"Link": link})

    upstream.answers("/oauth/token", token)  # type: ignore[arg-type]
    upstream.answers("/things", things)  # type: ignore[arg-type]
    upstream.answers("/broken", lambda request: reply({"error": echo(request)}, status=400))
    upstream.answers("/refused", lambda request: reply({"error": echo(request)}, status=401))
    return upstream


def config_of(url: str) -> dict[str, object]:
    client = {"id": "client", "secret": PLANTED["client_secret"]}
    return {
        "base_url": url,
        "headers": {"X-Api-Key": PLANTED["header_key"], "X-Config-Key": "{{context.signing_key}}"},
        "query": {"api_key": "{{context.api_key}}"},
        "credentials": {"format": "oauth2", "config": {"client": client, "auth": {"tokenHost": url}}},
        "authorization": {"format": "bearer"},
        "pagination": {"format": "link_header"},
    }


CONTEXT = {
    "oauth": {"token": {"access_token": PLANTED["access_token"], "refresh_token": PLANTED["refresh_token"]}},
    "api_key": PLANTED["query_key"],
    "signing_key": PLANTED["config_key"],
    "password": PLANTED["context_password"],
    "basic": {"password": PLANTED["basic_password"]},
}


def test_no_secret_is_in_anything_that_is_written(
    ferryman: Stack, workspace: Workspace, evil: Upstream, receiver: Receiver
) -> None:
    with broker_traffic(ferryman) as traffic:
        jobs = [listed("things"), listed("broken"), listed("refused")]
        sync = workspace.sync(evil.url, jobs, config=config_of(evil.url), context=CONTEXT)
        webhook_id = workspace.webhook(receiver)
        runs = [sync.run(), sync.run(webhook_id=webhook_id, error_handling="batch", version=2)]
        with pytest.raises(ApiError):
            workspace.api.post("/webhook/test", {"id": sync.account_id})
    run_ids = [str(run["id"]) for run in runs]
    codes = {error["code"] for run_id in run_ids for error in sync.errors(run_id)}

    secrets = {**PLANTED, "webhook_secret": receiver.secret.removeprefix("whsec_")}
    pages = [*the_database(ferryman.database_url), *the_api(workspace.api, sync.account_id, run_ids, webhook_id)]
    pages += [("the broker", b"\n".join(traffic))]
    pages += [(f"log {path.name}", path.read_bytes()) for path in Path(ferryman.data.logs).iterdir()]
    pages += [("deliveries", json.dumps([delivery.body for delivery in receiver.deliveries]).encode())]
    leaks = [leak for place, content in pages for leak in found_in(place, content, secrets)]

    assert leaks == []
    assert {"http_400", "needs_reauth"} <= codes
    assert sync.records("things") == {"1": {"id": 1}, "2": {"id": 2}}
    assert any(b"ferryman.sync_unit" in line or b"sync_unit" in line for line in traffic)
    assert {request.query.get("api_key") for request in evil.requests if request.path == "/things"} == {
        PLANTED["query_key"]
    }


def test_the_search_finds_what_it_looks_for() -> None:
    secret = {"key": PLANTED["header_key"]}
    hidden = base64.b64encode(json.dumps({"args": [PLANTED["header_key"]]}).encode())

    assert found_in("a", PLANTED["header_key"].encode(), secret) == ["key in a"]
    assert found_in("b", b'{"body": "' + hidden + b'"}', secret) == ["key in b"]
    assert found_in("c", b"nothing", secret) == []
