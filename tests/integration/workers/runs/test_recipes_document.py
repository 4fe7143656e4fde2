"""docs/recipes.md: each recipe is run by a real daemon exactly as it is printed."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.engine.json_types import JSON
from tests.support.exchanges import Line, read
from tests.support.http_server import HttpServer, Request, Response
from tests.support.workspace import Sync, Workspace

PAGE = (Path(__file__).parents[4] / "docs" / "recipes.md").read_text()
RECIPES = re.findall(
    r"```json config\n(.*?)```\n\n```json job\n(.*?)```\n\n```text exchange\n(.*?)```", PAGE, re.DOTALL
)
Genuine = Callable[[str, Mapping[str, str], bytes], bool]


@dataclass
class Script:
    """Answers each request of an exchange once, in whatever order a daemon makes those of several parents."""

    left: list[tuple[Line, Line]] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    moments: dict[str, str] = field(default_factory=dict)
    """What stood in the place of ``<first>`` and the like."""

    def answer(self, request: Request) -> Response:
        """Answer what is printed; 418 for anything else."""
        for asked, answer in self.left:
            if self._is(request, asked):
                self.left.remove((asked, answer))
                headers = {"Content-Type": "application/json", **answer.headers}
                return Response(status=int(answer.words[0]), body=answer.body.encode(), headers=headers)
        self.unknown.append(f"{request.method} {request.target} {request.body.decode()}")
        return Response(status=418)

    def _is(self, request: Request, asked: Line) -> bool:
        target = re.fullmatch(_pattern(asked.words[1]), request.target)
        if asked.words[0] != request.method or target is None or not _is_body(request.body, asked.body):
            return False
        known = {name: self.moments.get(name, value) for name, value in target.groupdict().items()}
        if known != target.groupdict() or len(set({**self.moments, **known}.values())) < len({**self.moments, **known}):
            return False
        self.moments |= known
        return True


def _pattern(text: str) -> str:
    return re.sub(r"<(\w+)>", r"(?P<\1>[^&]+)", re.escape(text))


def _is_body(body: bytes, printed: str) -> bool:
    text = json.dumps(json.loads(body)) if body else ""
    return re.fullmatch(re.escape(printed).replace("…", ".*"), text) is not None


def runs_of(exchange: str) -> list[list[Line]]:
    return [[read(line) for line in part.splitlines()] for part in exchange.strip().split("\n\n")]


def said(sync: Sync, run_id: str, line: Line) -> tuple[Any, Any]:
    """Return what a line of the page says came of a run, and what did."""
    what, text = line.words[0], line.body
    match line.mark:
        case "=":
            return _sorted(json.loads(text)), _sorted(list(sync.records(what).values()))
        case "#":
            return sorted(json.loads(text)), sorted(sync.records(what))
        case "!":
            # An error's message need not be printed whole.
            return [(what, True)], [(code, text in message) for code, message in _errors(sync, run_id)]
        case mark:
            raise ValueError(f"no line of an exchange begins with {mark!r}")


def _errors(sync: Sync, run_id: str) -> list[tuple[str, str]]:
    return [(error["code"], error["message"]) for error in sync.errors(run_id)]


def _sorted(values: list[JSON]) -> list[JSON]:
    return sorted(values, key=json.dumps)


@pytest.mark.parametrize(
    ("config", "job", "exchange"), RECIPES, ids=[f"recipe_{number}" for number in range(len(RECIPES))]
)
def test_a_recipe_runs_as_printed(workspace: Workspace, config: str, job: str, exchange: str) -> None:
    script = Script()
    upstream = HttpServer(script.answer)
    try:
        parts = json.loads(config.replace("{{upstream}}", upstream.url))
        sync = workspace.sync(parts.pop("base_url"), json.loads(job), config=parts)

        for lines in runs_of(exchange):
            asked = [line for line in lines if line.mark == ">"]
            script.left = list(zip(asked, [line for line in lines if line.mark == "<"], strict=True))
            run_id = str(sync.run()["id"])

            assert (script.left, script.unknown) == ([], [])
            for line in lines:
                if line.mark not in "<>":
                    expected, found = said(sync, run_id, line)
                    assert found == expected
            assert any(line.mark == "!" for line in lines) or _errors(sync, run_id) == []
    finally:
        upstream.close()


def test_every_config_of_the_page_is_run() -> None:
    assert len(RECIPES) == PAGE.count("```json config") == PAGE.count("```json job") == PAGE.count("```text exchange")
    assert len(RECIPES) >= 7


@pytest.fixture(scope="module")
def code() -> dict[str, Genuine]:
    """The functions that the page prints."""
    (block,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    names: dict[str, Any] = {}
    exec(compile(block, "docs/recipes.md", "exec"), names)
    return names


@pytest.mark.parametrize("name", ["is_genuine", "is_genuine_by_truto_signature"])
def test_code_of_the_page_knows_a_delivery_from_a_forgery(
    workspace: Workspace, code: dict[str, Genuine], name: str
) -> None:
    received: list[Request] = []
    receiver = HttpServer(lambda request: received.append(request) or Response())
    try:
        webhook = workspace.api.post("/webhook", {"target_url": receiver.url})
        workspace.api.post("/webhook/test", {"id": webhook["id"]})
    finally:
        receiver.close()

    (request,), is_genuine = received, code[name]
    other = "whsec_" + hashlib.sha256(b"another").hexdigest()
    assert is_genuine(webhook["secret"], request.headers, request.body)
    assert not is_genuine(webhook["secret"], request.headers, request.body + b" ")
    assert not is_genuine(other, request.headers, request.body)
