"""Every `ferryman` command that a document names exists, with the options that it is given there."""

import re
import shlex
from collections.abc import Iterator
from contextlib import suppress
from itertools import takewhile
from pathlib import Path

import click
import pytest

from app.cli.main import main

PROJECT_ROOT = Path(__file__).parents[2]
DOCUMENTS = [*sorted(PROJECT_ROOT.glob("*.md")), *sorted((PROJECT_ROOT / "docs").rglob("*.md"))]
FENCED = re.compile(r"^```([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"(?:^|[\s(|])(?:\.venv/bin/)?ferryman ([a-z-].*)")
NO_COMMANDS = {"page", "COMMAND"}
"""`ferryman page …` is what Postgres shows in pg_stat_activity, and COMMAND stands for any."""


def named(text: str) -> Iterator[str]:
    """List the commands in the blocks and the spans of code of a document."""
    for language, block in FENCED.findall(text):
        if language.split()[:1] in (["sh"], ["bash"], ["console"]):
            yield from COMMAND.findall(re.sub(r"\\\n\s*", " ", block))
    for span in re.findall(r"`([^`]+)`", FENCED.sub("", text)):
        yield from (match[1] for match in [re.match(r"ferryman (.+)", " ".join(span.split()))] if match)


def words_of(command: str) -> Iterator[str]:
    """List a command's words up to where the shell ends it, or a quoted text goes on in the next line."""
    words = shlex.shlex(command, posix=True, punctuation_chars=True)
    words.whitespace_split = True
    with suppress(ValueError):
        yield from takewhile(lambda word: word[:1] not in tuple("()<>|&;"), words)


def fault_of(command: str) -> str | None:
    """Return what of a command does not exist."""
    found: click.Command = main
    for word in words_of(command):
        if word.startswith("-"):
            options = {option for one in found.params for option in (*one.opts, *one.secondary_opts)}
            if word.partition("=")[0] not in options | {"-h", "--help", "--version"}:
                return f"'{found.name}' has no option {word}"
        elif isinstance(found, click.Group):
            below = found.get_command(click.Context(found), word)
            if below is None:
                return None if found.invoke_without_command else f"'{found.name}' has no command '{word}'"
            found = below
    return None


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(PROJECT_ROOT)))
def test_commands_exist_with_their_options(document: Path) -> None:
    commands = [command for command in named(document.read_text()) if command.split()[0] not in NO_COMMANDS]

    assert [(command, fault) for command in commands if (fault := fault_of(command))] == []


def test_commands_are_found_in_blocks_and_spans_and_faults_in_each() -> None:
    block = "```sh\nID=$(ferryman job create x --lable y --json | field id)\nferryman up\n```\n"
    page = f"See `ferryman run\nshwo ID`.\n\n{block}"

    assert [fault_of(command) for command in named(page)] == [
        "'create' has no option --lable",
        None,
        "'run' has no command 'shwo'",
    ]
