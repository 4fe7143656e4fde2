"""How this program was called, so that commands which it names can be repeated as they are printed."""

import shlex
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

_NAME = "ferryman"


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
