"""Every command that lists says that there is more than it shows, and how to see it."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from app.cli.main import main
from tests.integration.cli.objects.test_cli_document import ALL
from tests.support.http_server import HttpServer, Response

# Of a run's log all is shown, and ps counts what it leaves out: tests/integration/cli/watching.
WATCHED = {("ps",), ("logs",)}
LISTS = [
    names for names, command, _ in ALL if any("--limit" in one.opts for one in command.params) and names not in WATCHED
]
ARGUMENTS = {names: [one for one in command.params if one.param_type_name == "argument"] for names, command, _ in ALL}


@pytest.fixture(scope="module")
def endless() -> Iterator[str]:
    """An API whose every list goes on."""
    page = json.dumps({"result": [], "next_cursor": "more"}).encode()
    server = HttpServer(lambda _: Response(body=page))
    yield server.url
    server.close()


@pytest.mark.parametrize("names", LISTS, ids=" ".join)
def test_what_follows_is_not_kept_quiet(endless: str, names: tuple[str, ...]) -> None:
    line = [*names, *("x" for _ in ARGUMENTS[names]), "--url", endless, "--token", "t"]

    few, most = (
        CliRunner().invoke(main, [*line, "--limit", str(limit)]) for limit in (3, 100 if names == ("log",) else 1000)
    )

    assert few.stderr.startswith("There are more: --limit 30 shows them.\n"), few.output
    assert most.stderr.startswith("There are more: narrow the list by its options.\n"), most.output
