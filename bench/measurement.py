"""What a scenario has found: figures, each beside its bar, with the rounds that they come from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class BenchError(Exception):
    """A measurement that is worth nothing: something was lost, doubled, wrong, or never ended."""


class Verdict(StrEnum):
    """How a figure stands beside its bar."""

    MET = "met"
    MISSED = "missed"
    SHOWN = "shown"
    """There is no bar: the figure explains another, or is a peer's."""


class Side(StrEnum):
    """On which side of its bar a figure has to be."""

    AT_LEAST = "at least"
    AT_MOST = "at most"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """What a figure is to reach, in the figure's unit."""

    side: Side
    limit: float

    def judge(self, value: float) -> Verdict:
        """Compare a figure with the bar."""
        is_met = value >= self.limit if self.side is Side.AT_LEAST else value <= self.limit
        return Verdict.MET if is_met else Verdict.MISSED


def at_least(limit: float) -> Bar:
    """Make a bar to be reached from below."""
    return Bar(side=Side.AT_LEAST, limit=limit)


def at_most(limit: float) -> Bar:
    """Make a bar not to be crossed from below."""
    return Bar(side=Side.AT_MOST, limit=limit)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One number of a scenario."""

    name: str
    value: float
    unit: str
    """Empty for a ratio, which is shown with a cross."""
    bar: Bar | None = None
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """The rounds of each side that was measured, in the samples' own unit, warm-up left out."""
    noise: float | None = None
    """How far apart rounds of the very same thing lie, as a part of their median: the A/A floor."""

    @property
    def verdict(self) -> Verdict:
        """Compare with the bar."""
        return self.bar.judge(self.value) if self.bar else Verdict.SHOWN


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """All that a scenario has found."""

    scenario: str
    figures: Sequence[Figure]
    notes: Sequence[str] = ()
    """What a reader has to know, such as the sizes that were used."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """Longer findings by their title, such as query plans."""
    seconds: float = 0.0


SUCCESS: Final = 0
MISSED_BARS: Final = 1
BROKEN: Final = 2


def exit_status(measurements: Sequence[Measurement], *, is_broken: bool) -> int:
    """Return the program's status: 0 when every bar is met, 1 when one is missed, 2 when a scenario broke."""
    if is_broken:
        return BROKEN
    verdicts = {figure.verdict for measurement in measurements for figure in measurement.figures}
    return MISSED_BARS if Verdict.MISSED in verdicts else SUCCESS
