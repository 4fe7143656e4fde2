"""Functions of JSONata's own whose time or memory the engine does not bound: replaced, or called behind a check."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from app.engine.json_types import JSON

REPLACED: Final = "__replaced"


def list_keys(value: JSON = None) -> JSON:
    """Replace JSONata's, which looks for each name among all others and does not look at the clock."""
    objects = value if isinstance(value, list) else [value]
    names = list(dict.fromkeys(name for one in objects if isinstance(one, dict) for name in one))
    return (names[0] if len(names) == 1 else names) if names else None


def count_replaced_characters(arguments: Sequence[JSON]) -> int:
    """Count what ``$replace`` makes at once: a whole result of texts, one match's part of patterns."""
    text, found, replacement = [*arguments, None, None, None][:3]
    if not isinstance(text, str) or not isinstance(replacement, str):
        return 0
    if isinstance(found, str):
        return len(text) + (text.count(found) * len(replacement) if found else 0)
    # Each $0 or $1 may stand for all of the text.
    return len(replacement) + replacement.count("$") * len(text)


def allow_replace(*_arguments: JSON) -> JSON:
    """Do nothing: the call was checked before."""
    return None


FUNCTIONS: Final[Mapping[str, Callable[..., JSON]]] = {"keys": list_keys, REPLACED: allow_replace}

PRELUDES: Final[Mapping[str, str]] = {
    "replace": (
        "$__replace := $replace; $replace := function($s, $p, $r, $l)<s-(sf)(sf)n?:s> {("
        f"${REPLACED}($s, $p, $r); $exists($l) ? $__replace($s, $p, $r, $l) : $__replace($s, $p, $r))}};"
    )
}
"""With as much of a signature as the function itself has, for what it says of wrong arguments."""
