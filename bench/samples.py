"""What a series of rounds comes to."""

import math
from collections.abc import Sequence
from statistics import median


def percentile(samples: Sequence[float], percent: float) -> float:
    """Return the smallest sample that so many percent of all do not exceed."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)]


def spread(samples: Sequence[float]) -> float:
    """Return how far apart samples of one thing lie: highest less lowest, as a part of their median."""
    return (max(samples) - min(samples)) / median(samples)


def noise(*sides: Sequence[float]) -> float | None:
    """Return the widest spread of several sides that were measured in turn; None when each was measured once."""
    return max(map(spread, sides)) if len(sides[0]) > 1 else None


def ratio(numerator: Sequence[float], denominator: Sequence[float]) -> float:
    """Divide the medians of two sides that were measured in turn."""
    return median(numerator) / median(denominator)
