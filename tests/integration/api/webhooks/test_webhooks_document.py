"""The page about webhooks is true: its examples are sent, in their order."""

import json
import re
from pathlib import Path

from app.engine.webhooks import events
from tests.integration.api.calling import Caller, Catalog

PAGE = (Path(__file__).parents[4] / "docs" / "webhooks.md").read_text()
EXAMPLES = re.findall(r"^```json POST (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_examples_are_answered_as_the_page_says(api: Caller, catalog: Catalog) -> None:
    names = {"job": catalog.job["id"], "account": catalog.account["id"]}
    answers = []
    for path, example in EXAMPLES:
        body = example
        for name, value in names.items():
            body = body.replace(f"{{{{{name}}}}}", value)
        answer = api.post(path, json.loads(body))
        assert answer.status == 201, answer.body
        names["webhook"] = answer.body["id"]
        answers.append(answer.body)

    ends, webhook, run = answers
    assert ends["event_types"] == [events.COMPLETED, events.FAILED]
    assert (webhook["changes_only"], run["changes_only"]) == (True, True)
    assert run["events_to_send"] == ["sync_job_run:record", "sync_job_run:completed"]
