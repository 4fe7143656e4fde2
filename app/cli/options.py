"""Options and types of options that several commands share."""

import re
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import click

from app.engine.objects.daemons import GROUP_KEY
from app.engine.objects.environments import DEFAULT_ENVIRONMENT
from app.engine.status import ErrorHandling, RunStatus
from app.numerals import is_plain

ERROR_HANDLING: Final = click.Choice([str(kind) for kind in ErrorHandling])
RUN_STATUS: Final = click.Choice([str(status) for status in RunStatus])
_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST: Final = timedelta(days=3650)


class WholeRange(click.IntRange):
    """A whole number within bounds, in ASCII digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a number."""
        return super().convert(_require_plain(self, value, param, ctx), param, ctx)


class DecimalRange(click.FloatRange):
    """A number within bounds, in ASCII digits."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read a number."""
        return super().convert(_require_plain(self, value, param, ctx), param, ctx)


class Span(click.ParamType[timedelta]):
    """A length of time such as ``30d``."""

    name = "span"

    def convert(self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a number and its unit."""
        if isinstance(value, timedelta):
            return value
        parts = re.fullmatch(r"([1-9][0-9]{0,5})([mhdw])", value)
        span = int(parts[1]) * _UNITS[parts[2]] if parts else _LONGEST
        if parts is None or span > _LONGEST:
            self.fail(f"'{value}' is no time such as 90m, 12h, 30d or 8w, of ten years at most", param, ctx)
        return span


def _require_plain(
    kind: click.ParamType[Any], value: object, param: click.Parameter | None, ctx: click.Context | None
) -> Any:
    if isinstance(value, str) and not is_plain(value):
        kind.fail(f"'{value}' is not a number in the digits 0 to 9", param, ctx)
    return value


def _check_group(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    if not GROUP_KEY.fullmatch(value):
        raise click.BadParameter("use letters, digits, '_', '.' and '-', and begin with a letter or digit")
    return value


data_dir_option = click.option(
    "--data-dir",
    default=".ferryman",
    show_default=True,
    envvar="FERRYMAN_DATA_DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where the stack keeps its data, token and logs.",
)

stack_option = click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Join the stack that 'ferryman up' runs on this data directory, instead of what the environment names.",
)

environment_option = click.option(
    "--environment",
    default=DEFAULT_ENVIRONMENT,
    show_default=True,
    metavar="NAME",
    help="The environment that is meant.",
)

group_option = click.option(
    "--group", default="default", show_default=True, callback=_check_group, help="Daemon group that is served."
)

concurrency_option = click.option(
    "--concurrency",
    default=8,
    show_default=True,
    type=WholeRange(1, 512),
    help="How many units of work a daemon handles at once.",
)
