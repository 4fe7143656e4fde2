"""Charts as geometry, which templates draw as SVG: the policy of pages allows no style and no script for it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

HEIGHT: Final = 64.0
_STEP: Final = 10.0
_BAR: Final = 8.0
_LEAST: Final = 1.5
"""So high is a part that is not nothing, however little it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """What one bar shows."""

    label: str
    href: str
    values: Mapping[str, int]
    """Kind to number, from the bottom up; a kind is a class of the stylesheet too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One colour of a bar."""

    kind: str
    y: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A bar: where it stands, what it says, and where it leads."""

    x: float
    title: str
    href: str
    parts: Sequence[Part]


@dataclass(frozen=True, slots=True, kw_only=True)
class StackedBars:
    """Bars side by side."""

    bars: Sequence[Bar]
    width: float
    height: float = HEIGHT
    bar_width: float = _BAR
    highest: int = 0
    """What the highest bar stands for."""
    kinds: Sequence[str] = ()
    """The kinds that are there, for the legend."""
    ticks: Sequence[str] = ()
    """What stands below them, at even distances from the first bar to the last."""


def stack_bars(columns: Sequence[Column], ticks: Sequence[str] = ()) -> StackedBars:
    """Lay out one bar per column, the highest as high as the chart."""
    highest = max((sum(column.values.values()) for column in columns), default=0)
    known = dict.fromkeys(kind for column in columns for kind in column.values)
    kinds = [kind for kind in known if any(column.values.get(kind) for column in columns)]
    return StackedBars(
        bars=[_stack(at * _STEP, column, highest) for at, column in enumerate(columns)],
        width=max(1, len(columns)) * _STEP,
        highest=highest,
        kinds=kinds,
        ticks=ticks,
    )


def _stack(x: float, column: Column, highest: int) -> Bar:
    parts, top = list[Part](), HEIGHT
    for kind, number in column.values.items():
        if number:
            height = max(_LEAST, number / highest * HEIGHT)
            top = max(0.0, top - height)
            parts.append(Part(kind=kind, y=round(top, 2), height=round(height, 2)))
    told = ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in column.values.items() if number)
    return Bar(x=x + (_STEP - _BAR) / 2, title=f"{column.label}: {told or 'none'}", href=column.href, parts=parts)


def draw_line(values: Sequence[float], *, width: float = 120.0, height: float = 24.0) -> str:
    """Return the points of a line through some values, from left to right; the greatest is at the top."""
    greatest = max(values, default=0) or 1
    step = width / max(1, len(values) - 1)
    return " ".join(f"{at * step:.1f},{height - value / greatest * height:.1f}" for at, value in enumerate(values))
