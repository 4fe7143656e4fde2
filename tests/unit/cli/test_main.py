import re
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from app.cli.main import COMMANDS as main_commands
from app.cli.main import main

VARIABLES = (
    *("DATABASE_URL", "BROKER_URL", "FERRYMAN_ENCRYPTION_KEY", "FERRYMAN_URL", "FERRYMAN_TOKEN", "FERRYMAN_DATA_DIR"),
)


@pytest.fixture
def ferryman(monkeypatch: pytest.MonkeyPatch) -> "Ferryman":
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return Ferryman()


COMMANDS = [name for name, (_, told) in main_commands.items() if told]


class Ferryman:
    """The command line, in this process."""

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, arguments)


def test_help_names_every_command_in_a_newcomers_order(ferryman: Ferryman) -> None:
    result = ferryman("--help")

    names = re.findall(r"^  ([a-z-]+)  ", result.output.partition("Commands:\n")[2], re.MULTILINE)
    assert result.exit_code == 0
    assert names == COMMANDS
    assert names[:3] == ["demo", "up", "connector"]
    assert "prepare" not in names


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(ferryman: Ferryman, command: str) -> None:
    result = ferryman(command, "--help")

    assert result.exit_code == 0
    assert result.output.startswith(f"Usage: main {command}")


def numbers(command: click.Command, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """List every option that is a number, behind its command."""
    if isinstance(command, click.Group):
        for name in command.list_commands(click.Context(command)):
            inner = command.get_command(click.Context(command), name)
            assert inner is not None
            yield from numbers(inner, (*names, name))
    for option in command.params:
        if isinstance(option.type, click.types.IntParamType | click.types.FloatParamType):
            yield (*names, option.opts[0])


@pytest.mark.parametrize("option", list(numbers(main)), ids=" ".join)
@pytest.mark.parametrize("number", ["٣", "1_0"])
def test_number_is_in_plain_digits(ferryman: Ferryman, option: tuple[str, ...], number: str) -> None:
    result = ferryman(*option, number)

    assert result.exit_code == 2
    assert f"'{number}' is not a number in the digits 0 to 9" in result.output


def test_version_is_told(ferryman: Ferryman) -> None:
    assert ferryman("--version").output.startswith("ferryman 0.")


def test_unknown_command_is_a_usage_fault(ferryman: Ferryman) -> None:
    result = ferryman("dmeo")

    assert result.exit_code == 2
    assert "No such command 'dmeo'. (Did you mean one of: 'daemon', 'demo'?)" in result.output


@pytest.mark.parametrize("command", [["api"], ["daemon", "--group", "eu"], ["migrate"]], ids=lambda words: words[0])
def test_missing_settings_are_told_in_one_sentence(ferryman: Ferryman, command: list[str]) -> None:
    result = ferryman(*command)

    assert result.exit_code == 1
    assert result.output == (
        "Error: DATABASE_URL is not set; BROKER_URL is not set; FERRYMAN_ENCRYPTION_KEY is not set\n"
    )


@pytest.mark.parametrize("key", ["", "a,b", "a b", "-a", "ä", "x" * 101])
def test_group_key_that_no_queue_can_carry_is_a_usage_fault(ferryman: Ferryman, key: str) -> None:
    result = ferryman("daemon", f"--group={key}")

    assert result.exit_code == 2
    assert "Invalid value for '--group'" in result.output


def test_daemon_can_not_join_a_stack_that_does_not_run(ferryman: Ferryman, tmp_path: object) -> None:
    result = ferryman("daemon", "--data-dir", str(tmp_path))

    assert result.exit_code == 1
    assert result.output == f"Error: no stack runs on {tmp_path}; start one by 'ferryman up --data-dir {tmp_path}'\n"


def test_run_command_without_a_stack_says_how_to_name_one(ferryman: Ferryman, tmp_path: object) -> None:
    result = ferryman("run", "list", "--data-dir", str(tmp_path))

    assert result.exit_code == 1
    assert "no stack runs on" in result.output
    assert "--url" in result.output


@pytest.mark.parametrize("args", ["[1]", "{", "@/nonexistent"])
def test_args_that_are_no_json_object_are_a_usage_fault(ferryman: Ferryman, args: str) -> None:
    result = ferryman("run", "create", "job", "account", "--args", args)

    assert result.exit_code == 2
    assert "Invalid value for '--args'" in result.output


def test_file_of_args_that_can_not_be_read_is_named(ferryman: Ferryman) -> None:
    result = ferryman("run", "create", "job", "account", "--args", "@/nonexistent")

    assert "can not read /nonexistent: No such file or directory" in result.output


@pytest.mark.parametrize(
    "command",
    [
        *(("run", verb, "") for verb in ("show", "follow", "stop", "resume", "verify", "errors")),
        ("run", "create", "", "account"),
        ("trigger", "show", ""),
        ("template", "use", ""),
        ("state", "show", "people", ""),
        ("state", "list", ""),
    ],
    ids=" ".join,
)
def test_empty_name_is_a_usage_fault(ferryman: Ferryman, command: tuple[str, ...]) -> None:
    result = ferryman(*command, "--url", "http://127.0.0.1:9", "--token", "t")

    assert result.exit_code == 2
    assert "it is empty" in result.output


@pytest.mark.parametrize(
    "command", ["token list", "keys list", "environment list", "integration check-hosts", "health", "run list"]
)
def test_command_looks_for_the_stack_where_the_environment_says(
    ferryman: Ferryman, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("FERRYMAN_DATA_DIR", str(tmp_path))

    result = ferryman(*command.split())

    assert result.exit_code == 1
    assert f"no stack runs on {tmp_path};" in result.output


def test_database_that_can_not_be_reached_is_told_with_the_reason(
    ferryman: Ferryman, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ferryman:s3cret@127.0.0.1:1/ferryman")
    monkeypatch.setenv("BROKER_URL", "redis://127.0.0.1:1")
    monkeypatch.setenv("FERRYMAN_ENCRYPTION_KEY", "A" * 43 + "=")

    result = ferryman("migrate")

    assert result.exit_code == 1
    assert result.output.startswith("Error: the database can not be reached: ")
    assert "port 1" in result.output
    assert "s3cret" not in result.output
    assert result.output.count("\n") == 1
