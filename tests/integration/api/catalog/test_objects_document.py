"""The page about what stands around runs is true: its examples are sent, in their order."""

import json
import re
from pathlib import Path

from tests.integration.api.calling import Caller, Catalog

PAGE = (Path(__file__).parents[4] / "docs" / "objects.md").read_text()
EXAMPLES = re.findall(r"^```json (GET|POST|PATCH|DELETE) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
NAMES = {"/sync-job-cron-trigger": "trigger", "/sync-job-template": "template"}
"""What a created object is called in the examples after it."""


def test_examples_are_answered_as_the_page_says(api: Caller, catalog: Catalog) -> None:
    names = {"job": catalog.job["id"], "account": catalog.account["id"], "integration": catalog.integration["id"]}
    second = api.post("/integrated-account", {"integration_name": "acme", "tenant_id": "t2"}).body
    names["other"] = second["id"]

    def filled(text: str) -> str:
        for name, value in names.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    for method, path, text in EXAMPLES:
        content = json.loads(filled(text))
        answer = api.call(method, filled(path), None if method == "GET" else content)
        assert answer.status < 300, (path, answer.body)
        if method == "GET":
            assert content.items() <= answer.body.items()
        if path in NAMES:
            names[NAMES[path]] = answer.body["id"]

    assert len(EXAMPLES) == 13
    assert api.get(f"/integrated-account/{second['id']}").status == 404
    assert api.get(f"/sync-job-cron-trigger/{names['trigger']}").body["enabled"]
