"""Cut a list into parts, by what its first page shows, and cut a part again that turns out to be too large.

A part is small JSON that is kept with its element: ``{"lower", "upper", "depth"}`` of a range, ``{"value"}`` of a known
value. A bound of None is the list's own, which no request limits, so that the parts together are the whole list.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.partitions import bounds
from app.engine.partitions.partition import Partition, PartitionBy, PartPlace
from app.engine.paths import UNDEFINED, lookup
from app.engine.record_errors import SourceError

PAGES_PER_PART: Final = 8
"""Of a list whose total is known: few enough that the last parts end together, many for one dropped first page."""
PAGES_TO_CUT: Final = 24
"""A part with more pages is cut again: each cut costs one request."""
MOST_PARTS: Final = 64
"""Of one cut; where the records lie close together, their part is cut again."""
PARTS_AT_ONCE: Final = 4
"""Of one cut without a total: a short list costs few requests more."""
DEEPEST: Final = 3
"""How often a list without a total is cut, unless it is capped: so it has up to 64 parts, for 21 dropped pages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PartFacts:
    """What the answers to the requests for a list, or for one part of it, have shown so far."""

    is_first: bool
    """Only its first page was requested."""
    leads_on: bool
    got: int
    """Records so far."""
    page_size: int
    total: int | None


def list_known(partition: Partition, own: tuple[int | None, int | None]) -> list[JsonObject] | None:
    """Return the parts that are known before the first request; ``own`` are the bounds that the request has itself.

    None where the first answer has to show them.
    """
    if partition.values:
        return [{"value": value} for value in partition.values]
    lower, upper = own[0], own[1] if own[1] is not None else partition.end
    if partition.step is None or lower is None or upper is None or upper <= lower:
        return None
    count = min(MOST_PARTS, -(-(upper - lower) // partition.step))
    return _cut({"depth": 0}, lower, upper, count)


def choose_cut(
    partition: Partition, part: JsonObject | None, facts: PartFacts, *, own: tuple[int | None, int | None], now: int
) -> list[JsonObject]:
    """Return the parts that a list, or a part, is cut into, whose pages then do not count; none: it is read on.

    ``own`` are the bounds that the request has itself; ``now`` ends what has no end. Raise SourceError ``partition``
    for a part that holds more than the API returns, and can not be cut.
    """
    if part is not None and "value" in part:
        return []
    count = _choose_count(partition, part or {}, facts)
    if count < 2:
        return []
    lower, upper = _find_range(partition, part or {}, own, now)
    cut = _cut(part or {"depth": 0}, lower, upper, count)
    if len(cut) < 2 and is_capped(partition, facts):
        raise SourceError(
            "partition",
            f"the API returns at most {partition.max_results} records of a list, and the part from "
            f"{bounds.write_bound(lower, partition.form)} to {bounds.write_bound(upper, partition.form)} has more and "
            "can not be cut further; another field, or 'start' and 'end' nearer to the records, may part them better",
        )
    return cut if len(cut) > 1 else []


def build_scope(partition: Partition, part: JsonObject | None) -> JsonObject:
    """Return what ``{{part}}`` is in the templates of a request; a bound that is the list's own is absent."""
    if part is None or "value" in part:
        return part or {}
    lower, upper = part.get("lower"), part.get("upper")
    scope: JsonObject = {}
    if lower is not None:
        write = bounds.write_bound_before if partition.is_lower_excluded else bounds.write_bound
        scope["from"] = write(lower, partition.form)
    if upper is not None:
        scope["to"] = bounds.write_bound(upper, partition.form)
    return scope


def build_parameters(partition: Partition, part: JsonObject | None) -> JsonObject:
    """Return the parameters that limit a request to a part."""
    scope = build_scope(partition, part)
    names = (("from", partition.lower_param), ("to", partition.upper_param), ("value", partition.value_param))
    return {name: scope[key] for key, name in names if name is not None and key in scope}


def read_own_bounds(partition: Partition, query: JsonObject, body: JSON) -> tuple[int | None, int | None]:
    """Return the bounds that a request has itself: an increment begins where the last run has ended."""
    lower, upper = (_read_own(partition, query, body, name) for name in (partition.lower_param, partition.upper_param))
    return lower, upper


def _read_own(partition: Partition, query: JsonObject, body: JSON, name: str | None) -> int | None:
    if name is None:
        return None
    is_in_query = partition.place is PartPlace.QUERY
    value = query.get(name) if is_in_query else lookup(body, tuple(name.split(".")))
    return None if value is UNDEFINED else bounds.parse_bound(value, partition.form)


def _choose_count(partition: Partition, part: JsonObject, facts: PartFacts) -> int:
    """Return how many parts to make; 1: none."""
    pages = None if facts.total is None or not facts.page_size else -(-facts.total // facts.page_size)
    if is_capped(partition, facts):
        assert partition.max_results is not None
        return max(2, min(MOST_PARTS, -(-2 * (facts.total or 0) // partition.max_results)))
    if not facts.is_first or not facts.leads_on or partition.step is not None:
        return 1
    if pages is not None:
        return _count_by_pages(partition, pages, is_part=bool(part))
    return PARTS_AT_ONCE if int(part.get("depth", 0)) < DEEPEST else 1


def _count_by_pages(partition: Partition, pages: int, *, is_part: bool) -> int:
    """Return how many parts to make of so many pages; 1: none."""
    if partition.part_pages is None:
        is_large = pages > (PAGES_TO_CUT if is_part else PAGES_PER_PART)
        return min(MOST_PARTS, -(-pages // PAGES_PER_PART)) if is_large else 1
    is_large = pages > (partition.part_pages if is_part else max(PAGES_PER_PART, partition.part_pages))
    # Twice as many as would do if the records lay evenly.
    return min(MOST_PARTS, -(-2 * pages // partition.part_pages)) if is_large else 1


def is_capped(partition: Partition, facts: PartFacts) -> bool:
    """Whether the API may return no more of a list although there is more."""
    most = partition.max_results
    if most is None:
        return False
    return facts.got >= most or (facts.is_first and facts.total is not None and facts.total >= most)


def _find_range(
    partition: Partition, part: JsonObject, own: tuple[int | None, int | None], now: int
) -> tuple[int, int]:
    """Return the range to cut; ``start`` and ``end`` are guesses, which a part beyond them shows to be wrong."""
    lower, upper = (own[at] if part.get(name) is None else part[name] for at, name in enumerate(("lower", "upper")))
    first = _guess_first(partition, upper) if lower is None else int(lower)
    if upper is not None:
        return first, int(upper)
    if partition.end is not None and partition.end > first + 1:
        return first, partition.end
    if partition.by is PartitionBy.TIME and now > first + 1:
        return first, now
    # Further each time, until the records are found.
    return first, first + max(1, first - partition.start)


def _guess_first(partition: Partition, upper: int | None) -> int:
    """Guess where a part begins that has no bound there."""
    start = partition.start
    if upper is None or upper > start + 1:
        return start
    if partition.by is PartitionBy.NUMBER or upper > min(start, 0) + 1:
        return min(start, 0)
    # Records before 1970: further each time.
    return upper - max(2, 2 * (start - upper))


def _cut(part: JsonObject, lower: int, upper: int, count: int) -> list[JsonObject]:
    """Cut a range at evenly spread bounds; the outermost parts keep the bounds that it has."""
    spread = {lower + (upper - lower) * number // count for number in range(1, count)}
    inner = sorted(edge for edge in spread if lower < edge < upper)
    edges: Sequence[int | None] = [part.get("lower"), *inner, part.get("upper")]
    depth = int(part.get("depth", 0)) + 1
    return [{"lower": edges[at], "upper": edges[at + 1], "depth": depth} for at in range(len(edges) - 1)]
