"""The page about unified models is true: its examples are sent, in their order, and answered as it says."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.engine.jsonata.functions.bounds import FUNCTIONS, PRELUDES
from tests.integration.api.calling import Caller
from tests.support.upstream import Upstream, reply

PAGE = (Path(__file__).parents[4] / "docs" / "unified-models.md").read_text()
EXAMPLES = re.findall(r"^```json (GET|POST|PATCH) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
PEOPLE = [
    {"id": 1, "name": "Ada", "email": "ADA@example.test"},
    {"id": 2, "name": "", "email": "bob@example.test"},
    {"id": 3, "name": "Cleo", "email": {"work": "cleo@example.test"}},
]


@dataclass
class Reader:
    """Follows the page, example by example."""

    api: Caller
    names: dict[str, str] = field(default_factory=dict)

    def send(self, method: str, path: str, body: Any = None) -> Any:
        answer = self.api.call(method, self.filled(path), body)
        assert answer.status < 300, answer.body
        return answer.body

    def filled(self, text: str) -> str:
        for name, value in self.names.items():
            text = text.replace(f"{{{{{name}}}}}", value)
        return text

    def follow(self, method: str, path: str, text: str) -> None:
        content = json.loads(self.filled(text))
        if method == "GET":
            assert self.send("GET", path) == content
            return
        answer = self.send(method, path, content)
        if path == "/integration":
            account = {"integration_name": content["name"], "tenant_id": "t"}
            made = self.send("POST", "/integrated-account", account)
            self.names |= {"account": made["id"], "integration": answer["id"], "environment": made["environment_id"]}
        if path == "/unified-model":
            self.names["model"] = answer["id"]


def test_examples_are_answered_as_the_page_says(api: Caller, upstream: Upstream) -> None:
    upstream.answers("/people", reply({"people": PEOPLE}))
    upstream.answers("/people/search", reply({"people": PEOPLE[:1]}))
    reader = Reader(api, {"upstream": upstream.url})

    for method, path, text in EXAMPLES:
        reader.follow(method, path, text)

    apply_override = reader.send("GET", "/unified/crm/contacts?integrated_account_id={{account}}")
    assert len(EXAMPLES) == 8
    assert apply_override["result"][0] == {"id": "1", "name": "Ada", "vip": True}


def test_page_names_every_function_but_those_that_replace_or_serve_others() -> None:
    named = set(re.findall(r"\$(\w+)", PAGE))

    assert (FUNCTIONS.keys() | PRELUDES.keys()) - named == {"distinct", "keys", "replace", "__replaced", "__moment"}
