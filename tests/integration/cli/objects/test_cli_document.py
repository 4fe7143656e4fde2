"""The page of the command line: its session works as printed, and it names every command."""

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli.main import main
from tests.support.served_api import ServedApi, served_api
from tests.support.servers import PostgresServer

PAGE = (Path(__file__).parents[4] / "docs" / "cli.md").read_text()
WITHOUT_JSON = {"demo", "up", "api", "daemon", "flower", "completion"}
ASSIGNED = re.compile(r"(\w+)=\$\((ferryman .*) \| field (\w+)\)")


@pytest.fixture(scope="module")
def api(postgres_server: PostgresServer) -> Iterator[ServedApi]:
    with served_api(postgres_server) as served:
        yield served


def commands(
    command: click.Command = main, names: tuple[str, ...] = (), parent: click.Context | None = None
) -> Iterator[tuple[tuple[str, ...], click.Command, click.Context]]:
    """Walk all commands that are for people, each with its words."""
    context = click.Context(command, info_name=names[-1] if names else "ferryman", parent=parent)
    if not isinstance(command, click.Group) or (names and command.invoke_without_command):
        yield names, command, context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            if not found.hidden:
                yield from commands(found, (*names, name), context)


ALL = list(commands())


def test_page_names_every_command_with_its_arguments() -> None:
    rows = dict(re.findall(r"^\| `(.+?)` \| (.+) \|$", PAGE.partition("## All commands")[2], re.MULTILINE))
    expected = {}
    for names, command, context in ALL:
        arguments = [one.make_metavar(context) for one in command.params if isinstance(one, click.Argument)]
        shown = re.sub(r"\{.*\}", "SHELL", " ".join([*names, *arguments])).replace("|", "\\|")
        expected[shown] = " ".join((command.help or "").partition("\n\n")[0].split())

    assert rows == expected


@pytest.mark.parametrize(("names", "command"), [(names, command) for names, command, _ in ALL], ids=str)
def test_every_command_that_answers_prints_json_on_request(names: tuple[str, ...], command: click.Command) -> None:
    has_json = any("--json" in parameter.opts for parameter in command.params)

    assert has_json is not (" ".join(names) in WITHOUT_JSON)


def test_help_of_the_program_says_of_each_command_what_that_says_itself() -> None:
    listed = CliRunner().invoke(main, ["--help"]).output

    for names, command, _ in ALL:
        if len(names) == 1:
            assert f"  {names[0]} " in listed, command.get_short_help_str(200)


def session() -> list[str]:
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    return [line for line in block.splitlines() if line and not line.startswith("field()")]


def typed(api: ServedApi, line: str, variables: dict[str, str]) -> Result:
    """Run one command as a shell would, in this process."""
    program, *words = shlex.split(line)
    assert program == "ferryman"
    known = [variables[word[1:]] if word.startswith("$") else word for word in words]
    result = api.ferryman(*known)
    assert result.exit_code == 0, f"{line}\n{result.output}"
    return result


def test_session_works_as_printed_and_each_success_that_changes_something_names_the_next_step(api: ServedApi) -> None:
    variables: dict[str, str] = {}
    for line in session():
        if assigned := ASSIGNED.fullmatch(line):
            name, command, field = assigned.groups()
            variables[name] = json.loads(typed(api, command, variables).stdout)[field]
            continue
        result = typed(api, line, variables)
        if any(verb in line.split() for verb in ("create", "update", "stop", "delete")):
            assert re.search(r"^next: ferryman [a-z]+ ", result.stderr, re.MULTILINE), line
