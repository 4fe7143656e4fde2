"""Paths as configs write them: ``meta.next``, `` value.`odata.next` ``, ``@odata.nextLink``, ``["a.b", "c"]``.

A segment that begins with ``@`` takes all the rest: nothing is below an XML attribute, and OData's own keys have dots.
A ``?`` behind a segment says that the upstream may leave that key out: ``paging?.next?.after``.
"""

import re
from dataclasses import dataclass
from typing import Final

from app.engine.json_types import JSON
from app.engine.paths import UNDEFINED, Path, lookup

_SEGMENT: Final = re.compile(r"""(?:`([^`]+)`|"([^"]+)"|(@[^`"]*[^`"?])|([^.`"?]+))(\?)?(\.|$)""")


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

    def missing_at(self, value: JSON) -> int | None:
        """Return the position of the first key that is absent; None where the path leads on, if only to a null."""
        for position, key in enumerate(self.keys):
            if value is None:
                return None
            value = lookup(value, (key,))
            if value is UNDEFINED:
                return position
        return None


def parse(value: JSON) -> MarkedPath | None:
    """Read a path; None for what is none."""
    if isinstance(value, list):
        is_path = bool(value) and all(isinstance(key, str) and key for key in value)
        return MarkedPath(tuple(value)) if is_path else None
    return _parse_text(value) if isinstance(value, str) else None


def _parse_text(text: str) -> MarkedPath | None:
    keys: list[str] = []
    optional: set[int] = set()
    at = 0
    while match := _SEGMENT.match(text, at):
        key = next(group for group in match.groups()[:4] if group is not None)
        if match[5]:
            optional.add(len(keys))
        keys.append(key)
        if not match[6]:
            return MarkedPath(tuple(keys), frozenset(optional))
        at = match.end()
    return None
