"""Choices that several commands offer."""

from typing import Final

import click

from app.engine.status import ErrorHandling, RunStatus

ERROR_HANDLING: Final = click.Choice([str(kind) for kind in ErrorHandling])
RUN_STATUS: Final = click.Choice([str(status) for status in RunStatus])
