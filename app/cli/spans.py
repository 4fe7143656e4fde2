"""Lengths of time, as options take them."""

import re
from datetime import timedelta
from typing import Final

import click

_UNITS: Final = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST: Final = timedelta(days=3650)


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
