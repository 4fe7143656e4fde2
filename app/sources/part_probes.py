"""Try a partition before a list is cut: two parts that are disjoint, and are the whole list together.

An upstream may refuse the parameters of a range. It may ignore them: each part would then be the whole list. And
records may have no value that the range compares, such as a date that is null: they are in no part.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from app.engine.json_types import JsonObject
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import PageWarning
from app.sources.exchange.faults import RefusedError
from app.sources.pagination.stretches import identify_records
from app.sources.pagination.values import PageAnswer

_REFUSALS = frozenset({400, 404, 405, 416, 422, 501})
"""Statuses of a request that the upstream does not understand; others say nothing about its parameters."""
_DOUBLED = 1.5
"""The parts together, in multiples of the list's total: less may have been created meanwhile."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """What the first page of a part has shown."""

    answer: PageAnswer
    total: int | None


def choose_halves(parts: Sequence[JsonObject]) -> tuple[JsonObject, JsonObject]:
    """Return the two parts that a list is cut into by the middle one of the bounds."""
    edge = parts[len(parts) // 2]["lower"]
    depth = parts[0]["depth"]
    return (
        {"lower": parts[0]["lower"], "upper": edge, "depth": depth},
        {"lower": edge, "upper": parts[-1]["upper"], "depth": depth},
    )


def judge_probes(probes: Sequence[Probe | RefusedError], total: int | None) -> str | None:
    """Return why a list can not be cut; None where it can; ``total`` is what the whole list declares."""
    for one in probes:
        if isinstance(one, RefusedError):
            return f"the upstream refuses a request for a part ({one.response.status})"
    first, second = (one for one in probes if isinstance(one, Probe))
    if _are_same(first.answer, second.answer):
        return "the upstream ignores the parameters of a part: two parts begin with the same records"
    if total is None or first.total is None or second.total is None:
        return None
    both = first.total + second.total
    if is_short(probes, total):
        return (
            f"the upstream declares {total} records, and {both} in all parts: {total - both} have no value in any range"
        )
    if both >= _DOUBLED * total:
        return f"the upstream declares {total} records, and {both} in all parts: it ignores a parameter of a part"
    return None


def is_short(probes: Sequence[Probe | RefusedError], total: int | None) -> bool:
    """Whether both parts together declare fewer records than the list; some may have been deleted meanwhile."""
    totals = [one.total for one in probes if isinstance(one, Probe) and one.total is not None]
    return total is not None and len(totals) == len(probes) and sum(totals) < total


def is_refusal(error: RefusedError) -> bool:
    """Whether an error says that the upstream does not understand a request."""
    return error.response.status in _REFUSALS


def build_doubt(reason: str, *, most: int | None) -> PageWarning:
    """Return the warning of a list that is read as a whole; raise SourceError ``partition`` where that loses records.

    ``most`` is how many records the API returns of a list that has more.
    """
    if most is not None:
        raise SourceError(
            "partition", f"{reason}; and the list cannot be read as a whole, of which the API returns at most {most}"
        )
    return PageWarning("not_partitioned", f"{reason}: the list is read as a whole")


def _are_same(first: PageAnswer, second: PageAnswer) -> bool:
    """Whether two parts that have no record in common have more than half of a page in common."""
    ids = [set(map(repr, identify_records(one))) for one in (first, second)]
    least = min(len(one) for one in ids)
    return least > 0 and 2 * len(ids[0] & ids[1]) > least
