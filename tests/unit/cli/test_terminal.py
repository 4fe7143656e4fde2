import json
from collections.abc import Callable
from importlib import import_module

import click
import pytest
from click.testing import CliRunner
from rich.console import Console
from rich.table import Table

from app.cli import terminal
from app.cli.calling import Answer, print_facts, print_json, print_table
from app.cli.group import LazyGroup
from app.cli.watching.process_logs import print_line
from app.engine.errors import ConflictError
from app.services.diagnosis.findings import Finding, Severity

doctor = import_module("app.cli.operating.doctor")
ID = "139fe02c-ad11-4a03-ba1a-7d70c7f84541"


def table(words: str) -> Table:
    made = Table("id", "job", "said", box=None, pad_edge=False)
    made.add_row(ID, ID[::-1], words)
    return made


@pytest.fixture
def terminal_of(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    def be(columns: int) -> None:
        monkeypatch.setattr(
            terminal, "Console", lambda **options: Console(force_terminal=True, width=columns, **options)
        )

    return be


def test_table_keeps_ids_whole_when_the_terminal_is_narrow(
    terminal_of: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal_of(40)

    terminal.print_table(table("fine"))

    shown = capsys.readouterr().out
    assert ID in shown
    assert ID[::-1] in shown


def test_table_folds_words_when_the_terminal_is_wide_enough_for_each(
    terminal_of: Callable[[int], None], capsys: pytest.CaptureFixture[str]
) -> None:
    terminal_of(100)

    terminal.print_table(table("one word " * 20))

    lines = capsys.readouterr().out.splitlines()[1:]
    assert max(map(len, lines)) <= 100
    assert lines[0].startswith(f"{ID}  {ID[::-1]}  one word")


def test_table_is_not_folded_when_it_goes_to_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    terminal.print_table(table("one word " * 100))

    assert len(capsys.readouterr().out.splitlines()) == 2


HOSTILE = "\x1b]0;pwned\x07\x1b[2J\r\x9b31m\u202egnp.exe"
PLAIN = "\ufffd]0;pwned\ufffd\ufffd[2J\ufffd\ufffd31m\ufffdgnp.exe"


def test_nothing_that_others_have_written_commands_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """An upstream's error may hold the sequences that set a title, or what a paste inserts."""
    print_facts(HOSTILE, [("name", HOSTILE), ("json", {"a": HOSTILE})])
    print_table([{"name": HOSTILE}], ["name"], none="")
    Answer({}, f"{HOSTILE}\n\tnext").print(as_json=False)

    shown = capsys.readouterr().out
    assert shown.count(PLAIN) == 4
    assert f"{PLAIN}\n\tnext" in shown
    assert not set(shown) & set("\x1b\x07\r\x9b\u202e")


@click.command()
def fails() -> None:
    raise ConflictError(HOSTILE)


def test_no_error_commands_the_terminal() -> None:
    group = LazyGroup("g", commands_at={"fails": (f"{__name__}:fails", "")})

    found = CliRunner().invoke(group, ["fails"])

    assert (found.exit_code, PLAIN in found.output) == (1, True)


def test_json_means_the_same_and_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"said": HOSTILE, "name": "é"})

    shown = capsys.readouterr().out
    assert json.loads(shown) == {"said": HOSTILE, "name": "é"}
    assert not any(sign in shown for sign in "\x1b\x9b\u202e\x07")
    assert "é" in shown


def test_log_of_a_process_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    print_line(HOSTILE, as_json=False)

    assert not any(sign in capsys.readouterr().out for sign in "\x1b\x9b\u202e\x07")


def test_finding_of_doctor_commands_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    doctor._print_finding(Finding(check="views", severity=Severity.WARNING, message=HOSTILE, why=HOSTILE, fix=HOSTILE))

    assert not any(sign in capsys.readouterr().out for sign in "\x1b\x9b\u202e\x07")
