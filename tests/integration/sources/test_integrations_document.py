"""docs/integrations.md is true: each of its configs speaks to a real server exactly as it is printed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from raw_upstream import Client, Received, Upstream, reply

from app.engine.errors import SourceError
from app.engine.record_rows import remote_id

PAGE = (Path(__file__).parents[3] / "docs" / "integrations.md").read_text()
EXAMPLES = re.findall(r"```json config\n(.*?)```\n\n```text exchange\n(.*?)```", PAGE, re.DOTALL)
CONTEXT = {"api_key": "key-1", "region": "eu", "oauth": {"token": {"access_token": "token-1"}}}
_HEADER = re.compile(r"\[([\w-]+): ([^\]]*)\] ?")


@dataclass(frozen=True)
class Line:
    """One line of an exchange: ``> METHOD target`` or ``< status``, headers in brackets, a body."""

    mark: str
    words: list[str]
    headers: dict[str, str]
    body: str


def read(text: str) -> Line:
    mark, rest = text[0], text[2:]
    count = 2 if mark == ">" else 1
    *words, rest = (rest + " ").split(" ", count)
    headers = {}
    while match := _HEADER.match(rest):
        headers[match[1]] = match[2]
        rest = rest[match.end() :]
    return Line(mark, words, headers, rest.strip())


def answer_of(line: Line) -> bytes:
    headers = {"Content-Type": "application/json", **line.headers}
    return reply(raw=line.body.encode(), status=int(line.words[0]), headers=headers)


def shown(request: Received, like: Line) -> Line:
    headers = {name: request.headers.get(name.lower(), "") for name in like.headers}
    return Line(">", [request.method, request.target], headers, request.body.decode())


@pytest.mark.parametrize(("config", "exchange"), EXAMPLES, ids=[str(number) for number in range(len(EXAMPLES))])
def test_a_config_speaks_as_printed(client: Client, upstream: Upstream, config: str, exchange: str) -> None:
    parts = json.loads(config.replace("{{upstream}}", upstream.url))
    *lines, last = exchange.strip().splitlines()
    asked = [read(line) for line in lines if line.startswith(">")]
    upstream.in_turn(*(answer_of(read(line)) for line in lines if line.startswith("<")))

    if last.startswith("="):
        records = client.fetch_all(client.config(**parts), context=CONTEXT, resource="tickets")
        assert records == json.loads(last[2:])
        key = client.config(**parts).method("tickets", "list").key
        told_ids = [json.loads(line.removeprefix("# ids ")) for line in lines if line.startswith("# ids ")]
        assert told_ids in ([], [[remote_id(record, key) for record in records]])
    else:
        with pytest.raises(SourceError, match=last.split(" ", 2)[2]) as caught:
            client.fetch(client.config(**parts), context=CONTEXT, resource="tickets")
        assert caught.value.code == last.split(" ")[1]

    assert [shown(request, line) for request, line in zip(upstream.received, asked, strict=True)] == asked


def test_every_config_of_the_page_is_run() -> None:
    assert len(EXAMPLES) == PAGE.count("```json config") == PAGE.count("```text exchange") >= 10
