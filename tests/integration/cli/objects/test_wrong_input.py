"""Whatever a command is given, it ends with one of its exit codes and a sentence, never with a trace of Python."""

from collections.abc import Iterator

import click
import pytest

from app.engine.ids import new_id
from tests.integration.cli.objects.test_cli_document import ALL
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer

WRONG = (
    "",
    "nobody",
    "-1",
    "../token",
    "a/b?c#d",
    "\udcff",
    "x" * 5000,
    "{",
    "[" * 100_000,
    "@/no/such/file",
    "@/",
    "NaN",
)
LASTING = {"up", "demo", "api", "daemon", "flower"}
"""They run until they are stopped; test_stack_commands has what they refuse."""
CODES = {0, 1, 2}


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server) as served:
        yield served


def lines(command: click.Command) -> Iterator[list[str]]:
    """Give every argument and option of a command each wrong value, with an id in the place of the others."""
    arguments = [one for one in command.params if isinstance(one, click.Argument)]
    options = [one for one in command.params if isinstance(one, click.Option) and not one.is_flag]
    for value in WRONG:
        for place in range(len(arguments)):
            yield [value if place == at else new_id() for at in range(len(arguments))]
        for option in options:
            yield [f"{option.opts[0]}={value}", *(new_id() for _ in arguments)]


@pytest.mark.parametrize(
    ("names", "command"),
    [(names, command) for names, command, _ in ALL if " ".join(names) not in LASTING],
    ids=lambda one: "-".join(one) if isinstance(one, tuple) else "",
)
def test_it_is_refused_in_words(api: ServedApi, names: tuple[str, ...], command: click.Command) -> None:
    faults = []
    for line in lines(command):
        result = api.ferryman(*names, *line)
        is_told = result.exit_code == 0 or bool(result.stderr.strip())
        if result.exit_code not in CODES or not isinstance(result.exception, SystemExit | None) or not is_told:
            faults.append((line, result.exit_code, repr(result.exception), result.output[-300:]))

    assert faults == []
