"""docs/integrations.md and completeness.md: each config speaks to a real server exactly as it is printed."""

import json
import re
from pathlib import Path

import pytest

from app.engine.integrations.config import IntegrationConfig
from app.engine.record_errors import SourceError
from app.engine.records.rows import read_id
from app.services.ports import FetchedPage
from tests.integration.sources.raw_upstream import Client, Received, Upstream, reply
from tests.support.exchanges import Line, read

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "integrations.md").read_text() + (DOCS / "completeness.md").read_text()
EXAMPLES = re.findall(r"```json config\n(.*?)```\n\n```text exchange\n(.*?)```", PAGE, re.DOTALL)
CONTEXT = {"api_key": "key-1", "region": "eu", "oauth": {"token": {"access_token": "token-1"}}}


def answer_of(line: Line) -> bytes:
    headers = {"Content-Type": "application/json", **line.headers}
    return reply(raw=line.body.encode(), status=int(line.words[0]), headers=headers)


def shown(request: Received, like: Line) -> Line:
    headers = {name: request.headers.get(name.lower(), "") for name in like.headers}
    return Line(">", [request.method, request.target], headers, request.body.decode())


def said(pages: list[FetchedPage]) -> list[str]:
    """What the page prints of how a list ended, or failed."""
    end, fault = pages[-1].end, pages[-1].fault
    if fault is not None:
        return [f"! {fault.code} {fault.message}"]
    assert end is not None
    return [f"= {[record for page in pages for record in page.records]}", f". {end.reason}{_DOUBT[end.is_proven]}"]


def ids_of(pages: list[FetchedPage], config: IntegrationConfig) -> list[str]:
    """What the page prints of the ids that records are known by."""
    key = config.find_method("tickets", "list").key
    return [f"# {[read_id(record, key) for page in pages for record in page.records]}"]


_DOUBT = {True: "", False: " (unproven)"}


def printed(lines: list[str]) -> list[str]:
    return [f"{line[0]} {json.loads(line[2:])}" if line[0] in "=#" else line for line in lines]


@pytest.mark.parametrize(("config", "exchange"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_a_config_speaks_as_printed(client: Client, upstream: Upstream, config: str, exchange: str) -> None:
    parts = json.loads(config.replace("{{upstream}}", upstream.url))
    lines = exchange.replace("{{upstream}}", upstream.url).strip().splitlines()
    asked = [read(line) for line in lines if line.startswith(">")]
    expected = printed([line for line in lines if line[0] in "=.!#"])
    upstream.in_turn(*(answer_of(read(line)) for line in lines if line.startswith("<")))

    try:
        pages = client.pages(client.config(**parts), context=CONTEXT, resource="tickets")
        found = [*said(pages), *ids_of(pages, client.config(**parts))]
    except SourceError as error:
        found = [f"! {error.code} {error.message}"]

    assert all(_says(line, found) for line in expected), found
    assert [shown(request, line) for request, line in zip(upstream.received, asked, strict=True)] == asked


def _says(line: str, found: list[str]) -> bool:
    """Whether a line of the page is true: an error's message need not be printed whole."""
    if not line.startswith("!"):
        return line in found
    _, code, words = line.split(" ", 2)
    return found[0].startswith(f"! {code} ") and words in found[0]


def test_every_config_of_the_page_is_run() -> None:
    assert len(EXAMPLES) == PAGE.count("```json config") == PAGE.count("```text exchange") >= 10
