"""Texts as a terminal is to show them: commands as they can be repeated, and nothing that it would obey."""

import re
import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_NAME = "ferryman"
_COMMANDING: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def name_program() -> str:
    """Return what a shell in the same directory calls this program by."""
    called = Path(sys.argv[0])
    if called.parts[-2:] == ("cli", "__main__.py"):
        return f"{shlex.quote(sys.executable)} -m app.cli"
    if called.name != _NAME or not called.exists():
        return _NAME
    found = shutil.which(_NAME)
    if found is not None and called.samefile(found):
        return _NAME
    return shlex.quote(sys.argv[0])


def write_command(words: Iterable[str]) -> str:
    """Return a command of this program as it is typed here."""
    return f"{name_program()} {shlex.join(words)}"


def rewrite_commands(message: str) -> str:
    """Return a message with the commands of this program that it quotes as they are typed here."""
    return message.replace(f"'{_NAME} ", f"'{name_program()} ")


def show_plain(text: str) -> str:
    """Return a text whose control characters, but for tabs and line ends, are replaced: they command a terminal."""
    return _COMMANDING.sub("\N{REPLACEMENT CHARACTER}", text)


def escape_json(text: str) -> str:
    """Return JSON with the same characters escaped: it means the same, and commands nothing."""
    return _COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
