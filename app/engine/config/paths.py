"""Paths as configs write them: ``meta.next``, `` value.`odata.next` ``, ``@odata.nextLink``, ``["a.b", "c"]``.

A segment that begins with ``@`` takes all the rest: nothing is below an XML attribute, and OData's own keys have dots.
A ``?`` behind a segment says that the upstream may leave that key out: ``paging?.next?.after``. An index may stand in
brackets: ``data[0].items`` is ``data.0.items``.
"""

import re
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, Path, lookup

_SEGMENT: Final = re.compile(
    r"""(?:`([^`]+)`|"([^"]+)"|(@[^`"]*[^`"?])|([^.`"?]+?))((?:\[-?[0-9]{1,9}\])*)(\?)?(\.|$)"""
)
_INDEX: Final = re.compile(r"\[(-?[0-9]+)\]")
_WRITTEN_AS_IT_IS: Final = re.compile(r"""`[^`]+`|"[^"]+"|@[^`"]*|\[-?[0-9]{1,9}\]""")
_SIGNS: Final = frozenset("[]{}*^%&|<>=,;'~#!()")
_IN_NAMES: Final = frozenset("()")
"""What names of people's making have too, such as ``Time Series (Daily)``."""


@dataclass(frozen=True, slots=True)
class MarkedPath:
    """A path whose marked keys may be absent."""

    keys: Path
    optional: frozenset[int] = frozenset()
    """Positions of the keys that the upstream may leave out."""

    def __str__(self) -> str:
        return ".".join(f"`{key}`" if "." in key and not key.startswith("@") else key for key in self.keys)

    def find(self, value: JSON) -> JSON:
        """Return what is at the path, or UNDEFINED."""
        return lookup(value, self.keys)

    def find_missing(self, value: JSON) -> int | None:
        """Return the position of the first key that is absent; None where the path leads on, if only to a null."""
        for position, key in enumerate(self.keys):
            if value is None:
                return None
            value = lookup(value, (key,))
            if value is UNDEFINED:
                return position
        return None


def parse(value: JSON) -> MarkedPath | None:
    """Read a path; return None for anything else."""
    if isinstance(value, list):
        is_path = bool(value) and all(isinstance(key, str) and key for key in value)
        return MarkedPath(tuple(value)) if is_path else None
    return _parse_text(value) if isinstance(value, str) else None


def _parse_text(text: str) -> MarkedPath | None:
    keys: list[str] = []
    optional: set[int] = set()
    at = 0
    while match := _SEGMENT.match(text, at):
        keys += [next(group for group in match.groups()[:4] if group is not None), *_INDEX.findall(match[5])]
        if match[6]:
            optional.add(len(keys) - 1)
        if not match[7]:
            return MarkedPath(tuple(keys), frozenset(optional))
        at = match.end()
    return None


def find_expression_signs(text: str) -> frozenset[str]:
    """Return what of a text is more than a path has outside of quotes: it was probably meant as JSONata."""
    rest = _WRITTEN_AS_IT_IS.sub("", text)
    is_rooted = rest.startswith(("$.", "$$")) or rest == "$"
    return _SIGNS.intersection(rest) | (frozenset("$") if is_rooted else frozenset())


def may_be_a_name(text: str) -> bool:
    """Whether the signs of a text are those of a key's name."""
    return find_expression_signs(text) <= _IN_NAMES
