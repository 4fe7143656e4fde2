"""Notice a pagination that runs in circles, with a memory that does not grow.

Brent's cycle finding (https://maths-people.anu.edu.au/~brent/pub/pub051.html): one earlier cursor is the anchor, moved
up whenever the steps since then reach the next power of two. A cycle of length n is noticed within about 3n pages.
"""

from dataclasses import dataclass

from app.engine.json_types import JsonObject
from app.engine.record_errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class CursorTrail:
    """Where a pagination has been, as far as is needed to notice that it comes back."""

    anchor: str | None = None
    steps: int = 0
    power: int = 1

    def follow(self, current: str | None, following: str) -> "CursorTrail":
        """Go on to the next cursor; raise SourceError when it was there before."""
        if following in (current, self.anchor):
            raise SourceError(
                "repeated_cursor", f"the upstream gave the cursor '{following[:100]}' twice: its pages run in circles"
            )
        if self.steps + 1 >= self.power:
            return CursorTrail(anchor=following, steps=0, power=self.power * 2)
        return CursorTrail(anchor=self.anchor, steps=self.steps + 1, power=self.power)

    def to_json(self) -> JsonObject:
        """Write it as JSON."""
        return {"anchor": self.anchor, "steps": self.steps, "power": self.power}

    @classmethod
    def from_json(cls, value: JsonObject) -> "CursorTrail":
        """Read what ``to_json`` wrote."""
        return cls(anchor=value.get("anchor"), steps=value.get("steps", 0), power=value.get("power", 1))
