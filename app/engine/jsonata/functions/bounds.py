"""The functions that expressions know beside JSONata's own, and how much each takes at once.

Each takes and returns JSON; a missing argument is None, and None is returned for nothing. The engine's time limit does
not reach into what is written in Python: so each bound is such that a call at it takes about a quarter of a second of
computing, in time linear in what is measured. Between calls the time of the whole evaluation is checked.
"""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JSON
from app.engine.jsonata.functions import collections, encodings, guarded, moments, texts
from app.engine.jsonata.functions.guarded import REPLACED, count_replaced_characters

_CHARACTERS_OF_A_PART: Final = 100
_LONGEST_COMPARED: Final = 10_000
# The engine calls functions in the thread that evaluates, with their arguments alone.
_ends_at: Final = ContextVar("ends_at", default=math.inf)


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """At most so much of something."""

    measure: Callable[[Sequence[JSON]], int]
    """Measures a call's arguments."""
    most: int
    of: str


def begin_evaluation(*, seconds: float) -> None:
    """Bound the time of this thread's calls: they fail after so many seconds."""
    _ends_at.set(time.monotonic() + seconds)


def end_evaluation() -> None:
    """Remove the bound, outside of an evaluation."""
    _ends_at.set(math.inf)


def bound_function(name: str, function: Callable[..., JSON], bound: Bound) -> Callable[..., JSON]:
    """Make a function that names itself in a ValueError beyond its bound, in a TimeoutError beyond the time."""

    def bounded(*arguments: JSON) -> JSON:
        if time.monotonic() > _ends_at.get():
            raise TimeoutError(f"evaluation timeout in ${name}")
        found = bound.measure(arguments)
        if found > bound.most:
            raise ValueError(f"${name} is given {found} {bound.of}: expected at most {bound.most}")
        return function(*arguments)

    return bounded


def _count(arguments: Sequence[JSON]) -> int:
    return len(arguments)


def _count_items(arguments: Sequence[JSON]) -> int:
    return sum(len(one) if isinstance(one, list | dict) else 1 for one in arguments)


def _count_parts(arguments: Sequence[JSON]) -> int:
    """Count values at every depth, a long text as several."""
    waiting, parts = list(arguments), 0
    while waiting:
        value = waiting.pop()
        parts += 1 + len(value) // _CHARACTERS_OF_A_PART if isinstance(value, str) else 1
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return parts


def _count_characters(arguments: Sequence[JSON]) -> int:
    return sum(len(one) if isinstance(one, str) else _CHARACTERS_OF_A_PART * _count_parts([one]) for one in arguments)


def _count_looks(arguments: Sequence[JSON]) -> int:
    """Count the fields that are looked at: those of each item that a path, or each of several, or an object names."""
    values, by = [*arguments, None, None][:2]
    wanted = by if isinstance(by, list | dict) else [by]
    steps = sum(1 + one.count(".") + len(one) // _CHARACTERS_OF_A_PART if isinstance(one, str) else 1 for one in wanted)
    return (len(values) if isinstance(values, list) else 1) * max(1, steps)


def _count_compared(arguments: Sequence[JSON]) -> int:
    """Count the characters that are compared when a text is held against each of several."""
    text, candidates = [*arguments, None, None][:2]
    others = candidates if isinstance(candidates, list) else [candidates]
    of_each = min(_count_characters([text]), _LONGEST_COMPARED)
    return sum(of_each + _count_characters([other]) for other in others)


_ITEMS: Final = Bound(measure=_count_items, most=200_000, of="items")
_PARTS: Final = Bound(measure=_count_parts, most=200_000, of="values")
_LOOKS: Final = Bound(measure=_count_looks, most=200_000, of="fields to look at")
_BYTES: Final = Bound(measure=_count_characters, most=10_000_000, of="characters")
_QUERY: Final = Bound(measure=_count_characters, most=400_000, of="characters")
_WORDS: Final = Bound(measure=_count_characters, most=10_000, of="characters")

BOUNDS: Final[Mapping[str, Bound]] = {
    **dict.fromkeys(("compact", "chunk", "wrap", "values", "omit", "pick", "removeEmptyItems", "mapValues"), _ITEMS),
    **dict.fromkeys(("distinct", "difference", "flatten", "flattenDeep", "flattenDepth", "removeEmpty"), _PARTS),
    **dict.fromkeys(("find", "lofilter", "groupBy", "keyBy", "orderBy"), _LOOKS),
    **dict.fromkeys(("base64encode", "base64decode", "digest", "sign", "getDataUri", "jsonParse"), _BYTES),
    **dict.fromkeys(("parseQuery", "parseUrl"), _QUERY),
    **dict.fromkeys(("toNumber", "convertCurrencyFromSubunit", "convertCurrencyToSubunit", "getMimeType"), _WORDS),
    "stringifyQuery": _PARTS,
    "firstNonEmpty": Bound(measure=_count, most=1000, of="arguments"),
    "uuid": Bound(measure=_count, most=0, of="arguments"),
    "diceCoefficient": Bound(measure=_count_compared, most=1_000_000, of="characters to compare"),
    "mostSimilar": Bound(measure=_count_compared, most=1_000_000, of="characters to compare"),
    "keys": _PARTS,
    REPLACED: Bound(measure=count_replaced_characters, most=10_000_000, of="characters"),
    "__moment": Bound(measure=_count_characters, most=1000, of="characters"),
}
"""By the function's name; each function has one."""


_FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    **collections.FUNCTIONS,
    **collections.FUNCTIONS,
    **encodings.FUNCTIONS,
    **texts.FUNCTIONS,
    **moments.FUNCTIONS,
    **guarded.FUNCTIONS,
}
FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {
    name: bound_function(name, function, BOUNDS[name]) for name, function in _FUNCTIONS.items()
}
"""By name, without the ``$``."""

PRELUDES: Final[Mapping[str, str]] = {**moments.PRELUDES, **guarded.PRELUDES}
"""Functions written in JSONata, because they return methods or take some; by name, without the ``$``."""
