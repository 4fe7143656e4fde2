"""What a shell is given to complete commands, and that looking costs no import of a server."""

import subprocess
import sys

import pytest
from click.shell_completion import CompletionItem, ShellComplete
from click.testing import CliRunner

from app.cli.main import COMMANDS, main

# What only servers and daemons need.
HEAVY = {"flask", "sqlalchemy", "psycopg", "celery", "kombu", "aiohttp", "alembic", "marshmallow", "redis", "gunicorn"}


def completed(*words: str) -> list[str]:
    complete = ShellComplete(main, {}, "ferryman", "_FERRYMAN_COMPLETE")
    items: list[CompletionItem] = complete.get_completions(list(words[:-1]), words[-1])
    return [item.value for item in items]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_a_shell_is_printed(shell: str) -> None:
    result = CliRunner().invoke(main, ["completion", shell])

    assert (result.exit_code, result.stderr) == (0, "")
    assert f"_FERRYMAN_COMPLETE={shell}_complete" in result.stdout


def test_unknown_shell_is_a_usage_fault() -> None:
    assert CliRunner().invoke(main, ["completion", "tcsh"]).exit_code == 2


@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("ru",), ["run"]),
        (("run", "re"), ["resume"]),
        (("account", "b"), ["budget"]),
        (("account", "budget", ""), ["reset", "show"]),
        (("run", "list", "--status", "comp"), ["completed"]),
        (("run", "list", "--jo"), ["--job"]),
        (("--ver",), ["--version"]),
    ],
    ids=" ".join,
)
def test_commands_options_and_choices_are_completed(words: tuple[str, ...], found: list[str]) -> None:
    assert completed(*words) == found


def test_names_of_commands_are_completed_but_for_hidden_ones() -> None:
    assert completed("") == [name for name in COMMANDS if name != "prepare"]


def test_commands_over_http_and_completion_import_nothing_of_a_server() -> None:
    places = [place.partition(":")[0] for name, (place, _) in COMMANDS.items() if name in LIGHT]
    program = (
        "import sys; from importlib import import_module\n"
        f"for name in {['app.cli.main', *places]!r}: import_module(name)\n"
        f"print(sorted({HEAVY!r} & {{name.partition('.')[0] for name in sys.modules}}))"
    )

    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout

    assert loaded.strip() == "[]"


LIGHT = {
    *("integration", "account", "job", "run", "record", "trigger", "webhook", "template", "state", "log", "daemon"),
    "completion",
}
