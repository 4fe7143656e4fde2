"""Suggestions for mistyped names."""

import difflib
from collections.abc import Iterable
from typing import Final

_CLOSE: Final = 0.6
_NEARLY: Final = 0.8
_SHORTEST_BEGINNING: Final = 3
_MOST_LISTED: Final = 40
MOST_SUGGESTED: Final = 100
"""Nobody reads more hints in one answer, and each takes a millisecond of computing."""


def find_closest(word: str, known: Iterable[str]) -> str | None:
    """Return the known name that a word is close to: spelt alike, or a beginning of it; None where none is."""
    plain = {_normalise(name): name for name in sorted(known)}
    starter = _normalise(word)
    longer = [name for text, name in plain.items() if text.startswith(starter)]
    if len(starter) >= _SHORTEST_BEGINNING and len(longer) == 1:
        return longer[0]
    found = difflib.get_close_matches(starter, plain, n=1, cutoff=_CLOSE)
    return plain[found[0]] if found else None


def is_slip(word: str, known: Iterable[str]) -> bool:
    """Whether a word is a known name but for a letter or so."""
    return bool(difflib.get_close_matches(_normalise(word), [_normalise(name) for name in known], n=1, cutoff=_NEARLY))


def suggest(word: str, known: Iterable[str]) -> str:
    """Return a hint for a message: what a word was probably meant to be, or the known names."""
    names = sorted(known)
    close = find_closest(word, names)
    if close is not None:
        return f"did you mean '{close}'?"
    more = ", …" if len(names) > _MOST_LISTED else ""
    return f"expected one of {', '.join(names[:_MOST_LISTED])}{more}" if names else "there are none"


def _normalise(name: str) -> str:
    return name.replace("_", "").replace("-", "").lower()
