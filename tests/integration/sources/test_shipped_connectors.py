"""Each connector in app/catalog speaks to its API as that documents: a folder more is tested by being there."""

import json
import time
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from app.engine.integrations.config import parse_config
from app.engine.record_errors import RateLimitedError, SourceError
from app.engine.unified import calls as unified_calls
from app.engine.unified.calls import UnifiedRequest
from app.engine.unified.mapping import parse_mapping
from app.engine.unified.model import check_resources
from app.engine.unified.requests import build_integration_request
from app.services.ports import PageCall
from app.services.unified.mappings import map_page
from tests.integration.sources.raw_upstream import Client, Received, Upstream, reply

CATALOG = Path(__file__).parents[3] / "app" / "catalog"
CONNECTORS = CATALOG / "connectors"
MODELS = sorted((CATALOG / "models").glob("*.json"))
SAMPLES = sorted(CONNECTORS.glob("*/sample.json"))
PAGES = sorted(path for sample in SAMPLES for path in sample.parent.glob("pages/*.json"))
MAPPINGS = sorted(path for sample in SAMPLES for path in sample.parent.glob("mappings/*/*.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def named(paths: list[Path]) -> list[str]:
    return [str(path.relative_to(CATALOG).with_suffix("")) for path in paths]


def call_of(folder: Path, upstream: Upstream, resource: str, method: str, **changes: Any) -> dict[str, Any]:
    """Give a call with the sample's credentials, at the upstream of the test."""
    sample = read(folder / "sample.json")
    config, failures = parse_config(read(folder / "integration.json")["config"])
    assert failures == []
    context = {**sample["context"], sample["upstream_key"]: upstream.url}
    query = sample["queries"].get(resource, {})
    # As a direct call: it reads a list as it is, also one that a run may cut into parts.
    whole = {"query": query, "is_handed_on": True}
    return {"config": config, "context": context, "resource": resource, "method": method, **whole, **changes}


def serve(folder: Path, upstream: Upstream, resource: str, method: str) -> list[dict[str, Any]]:
    """Answer with the pages of a resource in turn, and give the requests that are expected for them."""
    origin = read(folder / "sample.json").get("origin", "https://api.example.com")
    pages = json.loads((folder / "pages" / f"{resource}.{method}.json").read_text().replace(origin, upstream.url))
    answers = [page["response"] for page in pages]
    upstream.in_turn(*(reply(one["body"], one.get("status", 200), one.get("headers")) for one in answers))
    return [{"method": "GET", "body": None, **page["request"]} for page in pages]


def asked(request: Received) -> dict[str, Any]:
    body = json.loads(request.body) if request.body else None
    return {"method": request.method, "path": request.path, "query": dict(request.query), "body": body}


@pytest.mark.parametrize("path", PAGES, ids=named(PAGES))
def test_a_resource_is_asked_for_all_its_pages(path: Path, client: Client, upstream: Upstream) -> None:
    folder, (resource, method) = path.parents[1], path.stem.split(".")
    expected = serve(folder, upstream, resource, method)
    call = call_of(folder, upstream, resource, method)

    records = client.fetch_all(**call)

    assert [asked(request) for request in upstream.received] == expected
    assert all(request.headers["authorization"] for request in upstream.received)
    assert records


@pytest.mark.parametrize("path", MAPPINGS, ids=named(MAPPINGS))
def test_mapped_records_are_the_expected_ones_and_fit_their_model(
    path: Path, client: Client, upstream: Upstream
) -> None:
    folder, model, resource = path.parents[2], path.parent.name, path.stem
    origin = read(folder / "sample.json").get("origin", "https://api.example.com")
    expected = json.loads((folder / "expected" / model / path.name).read_text().replace(origin, upstream.url))
    mapping, failures = parse_mapping(read(path)["list"], resource=resource, method="list")
    assert failures == []
    assert mapping is not None
    context = read(folder / "sample.json")["context"]
    calls = unified_calls.prepare_call(
        mapping, UnifiedRequest(query=expected["query"]), context, monotonic=time.monotonic
    )
    request = build_integration_request(calls)
    serve(folder, upstream, request.resource, request.method)
    call = call_of(folder, upstream, request.resource, request.method, query=request.query, mapping=calls)

    records: list[Any] = []
    cursor = None
    while not records or cursor is not None:
        page = client.fetch(**call, cursor=cursor)
        made = map_page(PageCall(account_id="a", **call), page)
        assert list(made.errors) == []
        records, cursor = records + made.records, page.next_cursor

    assert records == expected["records"]
    described = read(CATALOG / "models" / f"{model}.json")["resources"][resource]
    for record in records:
        jsonschema.validate(record, {**described["schema"], "additionalProperties": False})


@pytest.mark.parametrize("path", MAPPINGS, ids=named(MAPPINGS))
def test_each_method_of_a_mapping_is_one_of_the_connector_and_of_the_model(path: Path) -> None:
    described = read(CATALOG / "models" / f"{path.parent.name}.json")["resources"][path.stem]
    config, _ = parse_config(read(path.parents[2] / "integration.json")["config"])
    assert config is not None

    for method, raw in read(path).items():
        mapping, failures = parse_mapping(raw, resource=path.stem, method=method)
        assert failures == []
        assert mapping is not None
        chosen = {mapping.resource} if isinstance(mapping.resource, str) else mapping.resource.names
        assert {(name, method) for name in chosen} <= config.methods.keys()
        assert method in described["methods"]


@pytest.mark.parametrize("path", MODELS, ids=named(MODELS))
def test_a_model_is_one(path: Path) -> None:
    model = read(path)

    assert model["name"] == path.stem
    assert check_resources(model["resources"]) == []


def test_every_connector_is_whole() -> None:
    wanted = {"integration.json", "README.md", "sample.json", "mappings", "expected", "pages"}
    folders = [sample.parent for sample in SAMPLES]

    assert {path.name: wanted - {part.name for part in path.iterdir()} for path in folders} == {
        path.name: set() for path in folders
    }
    assert {"github", "jira", "intercom", "slack", "salesforce", "stripe", "zendesk", "hubspot"} <= {
        path.name for path in folders
    }


def test_every_listing_has_pages_that_it_is_tested_against() -> None:
    listings = {
        sample.parent / "pages" / f"{resource}.list.json"
        for sample in SAMPLES
        for resource, methods in read(sample.parent / "integration.json")["config"]["resources"].items()
        if "list" in methods
    }

    assert named(sorted(listings - set(PAGES))) == []


def cases(kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Give what the samples say of one kind, by the connector's name."""
    return [(path.parent.name, case) for path in SAMPLES for case in read(path).get(kind, [])]


def numbered(given: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [f"{number}-{name}-{case['resource']}" for number, (name, case) in enumerate(given)]


def told(answer: dict[str, Any]) -> bytes:
    """Give an answer; a header of ``now+60`` is the moment a minute ahead, in epoch seconds."""
    headers = {name: moment(text) for name, text in answer.get("headers", {}).items()}
    return reply(answer["body"], answer["status"], headers)


def moment(text: str) -> str:
    return str(round(time.time()) + int(text[4:])) if text.startswith("now+") else text


def ask(name: str, case: dict[str, Any], client: Client, upstream: Upstream, **changes: Any) -> None:
    upstream.in_turn(told(case["answer"]))
    client.fetch(**call_of(CONNECTORS / name, upstream, case["resource"], "list", **changes))


@pytest.mark.parametrize(("name", "case"), cases("refusals"), ids=numbered(cases("refusals")))
def test_errors_are_told_in_the_apis_own_words(
    name: str, case: dict[str, Any], client: Client, upstream: Upstream
) -> None:
    with pytest.raises(SourceError, match=case["message"]) as caught:
        ask(name, case, client, upstream)

    assert caught.value.code == case["code"]


@pytest.mark.parametrize(("name", "case"), cases("limits"), ids=numbered(cases("limits")))
def test_a_limit_is_waited_out(name: str, case: dict[str, Any], client: Client, upstream: Upstream) -> None:
    with pytest.raises(RateLimitedError) as caught:
        ask(name, case, client, upstream)

    assert caught.value.retry_after_seconds == pytest.approx(case["wait_seconds"], abs=2)


@pytest.mark.parametrize(("name", "case"), cases("retried"), ids=numbered(cases("retried")))
def test_what_passes_soon_is_asked_for_once_more(
    name: str, case: dict[str, Any], client: Client, upstream: Upstream
) -> None:
    folder = CONNECTORS / name
    first, *_ = serve(folder, upstream, case["resource"], "list")
    answer = upstream.answer
    upstream.answer = lambda request: told(case["answer"]) if len(upstream.received) == 1 else answer(request)

    page = client.fetch(**call_of(folder, upstream, case["resource"], "list"))

    assert [asked(request) for request in upstream.received] == [first, first]
    assert page.records


@pytest.mark.parametrize(("name", "case"), cases("increments"), ids=numbered(cases("increments")))
def test_only_what_is_new_is_asked_for(name: str, case: dict[str, Any], client: Client, upstream: Upstream) -> None:
    serve(CONNECTORS / name, upstream, case["resource"], "list")

    client.fetch(**call_of(CONNECTORS / name, upstream, case["resource"], "list", query=case["query"]))

    sent = asked(upstream.received[0])
    assert case["sends"].items() <= sent["query"].items()
    assert case.get("sends_body", {}).items() <= (sent["body"] or {}).items()
