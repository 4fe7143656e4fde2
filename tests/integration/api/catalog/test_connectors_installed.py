"""The files of app/catalog are bodies that the API takes as they are."""

import json
from pathlib import Path
from typing import Any

from tests.integration.api.calling import Caller
from tests.support.upstream import Upstream, reply

CATALOG = Path(__file__).parents[4] / "app" / "catalog"


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def install(api: Caller) -> None:
    """Post every model, integration and mapping; each must be taken."""
    models = {}
    for path in sorted(CATALOG.glob("models/*.json")):
        answer = api.post("/unified-model", read(path))
        assert answer.status < 300, (path, answer.body)
        models[path.stem] = answer.body["id"]
    for path in sorted(CATALOG.glob("connectors/*/integration.json")):
        answer = api.post("/integration", read(path))
        assert answer.status < 300, (path, answer.body)
    for path in sorted(CATALOG.glob("connectors/*/mappings/*/*.json")):
        whose = {"unified_model_id": models[path.parent.name], "integration_name": path.parents[2].name}
        for method, config in read(path).items():
            body = {**whose, "resource_name": path.stem, "method_name": method, "config": config}
            answer = api.post("/unified-model-resource-method", body)
            assert answer.status < 300, (path, method, answer.body)


def test_every_file_is_taken_and_a_unified_call_gives_the_expected_record(api: Caller, upstream: Upstream) -> None:
    install(api)
    folder = CATALOG / "connectors" / "salesforce"
    upstream.answers("/services/data/v62.0/sobjects/Contact/003", reply(_first_contact(folder)))
    context = {"access_token": "token-1", "instance_url": upstream.url}
    account = {"integration_name": "salesforce", "tenant_id": "t", "context": context}
    account_id = api.post("/integrated-account", account).body["id"]

    answer = api.get("/unified/crm/contacts/003", integrated_account_id=account_id)

    assert (answer.status, answer.body) == (200, read(folder / "expected" / "crm" / "contacts.json")["records"][0])


def test_what_is_written_in_unified_terms_is_sent_in_the_apis_own(api: Caller, upstream: Upstream) -> None:
    install(api)
    samples = {path.parent.name: read(path) for path in sorted(CATALOG.glob("connectors/*/sample.json"))}

    for name, write in [(name, write) for name, sample in samples.items() for write in sample.get("writes", [])]:
        sample, sends = samples[name], write["sends"]
        upstream.answers(sends["path"], reply(write["answer"]))
        context = {**sample["context"], sample["upstream_key"]: upstream.url}
        account = {"integration_name": name, "tenant_id": "t", "context": context}
        query = {"integrated_account_id": api.post("/integrated-account", account).body["id"]}
        place = f"/unified/{write['unified']}"
        if write["method"] == "create":
            answer = api.post(place, write["body"], query_string=query)
        else:
            answer = api.call("PATCH", f"{place}/{write['id']}", write["body"], query_string=query)

        sent = upstream.requests[-1]
        assert answer.status < 300, (name, write, answer.body)
        assert answer.body["id"], (name, write)
        assert {"method": sent.method, "path": sent.path, "body": json.loads(sent.body)} == sends, name


def _first_contact(folder: Path) -> Any:
    return read(folder / "pages" / "contacts.list.json")[0]["response"]["body"]["records"][0]
