"""What an answer of a simulated upstream says, read as plainly as can be."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from app.engine.json_types import JSON
from tests.support.listings.site import Answer

REFUSALS: Final = frozenset({400, 404, 416, 422})
EXPIRED: Final = frozenset({400, 404, 410, 422})
FALSE_TEXTS: Final = frozenset({"", "0", "n", "no", "f", "false", "off"})
STOPS: Final[Mapping[str, Callable[[Answer], bool]]] = {
    **{f"status = {code}": partial(lambda code, answer: answer.status == code, code) for code in sorted(REFUSALS)},
    "body.meta.last = true": lambda answer: at(answer.document, "meta.last") is True,
}
"""What the expressions that tests use as ``stop_when`` mean."""


def records(answer: Answer) -> list[str]:
    """Return the ids of its records."""
    found = at(answer.document, "items") or []
    return [record["id"] for record in found]


def at(document: JSON, path: str | None) -> JSON:
    """Follow a dotted path through objects; null where nothing is."""
    for key in path.replace("?", "").split(".") if path else []:
        document = document.get(key) if isinstance(document, dict) else None
    return document if path is not None else None


def number(value: JSON) -> int | None:
    """Read a whole number, or its digits."""
    if isinstance(value, bool):
        return None
    return int(value) if isinstance(value, int) or (isinstance(value, str) and value.isdigit()) else None
