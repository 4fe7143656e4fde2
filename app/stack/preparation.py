"""Prepare a database: its tables, and a first API token."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from app.stack import commands
from app.stack.errors import StackError


def prepare_database(environment: Mapping[str, str], token_file: Path) -> str:
    """Migrate, and return the valid token in ``token_file``, which is created if needed.

    In a process of its own, so that the supervisor loads no code for the database.
    """
    result = subprocess.run(  # noqa: S603  # a fixed command, no shell
        commands.build_prepare_command(token_file),
        check=False,
        env=environment,
        cwd=commands.PROJECT_ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    if result.returncode != 0:
        reason = (result.stderr.strip().splitlines() or ["it gave no reason"])[-1]
        raise StackError(f"the database could not be prepared: {reason.removeprefix('Error: ')}")
    return token_file.read_text().strip()
