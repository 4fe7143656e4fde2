"""Measures sides in turn, A/B/A/B, so that whatever drifts on the machine drifts for all of them."""

from collections.abc import Callable, Sequence


def in_turn(rounds: int, *sides: Callable[[], float]) -> Sequence[Sequence[float]]:
    """Measure every side once for nothing, to warm up, then all of them in turn; give each side's samples."""
    for side in sides:
        side()
    measured = [[side() for side in sides] for _ in range(rounds)]
    return list(zip(*measured, strict=True))
