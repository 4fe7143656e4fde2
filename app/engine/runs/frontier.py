"""The progress of a unit: which elements are done, in flight at a cursor, and to come; and cursors in circles.

Brent's cycle finding (https://maths-people.anu.edu.au/~brent/pub/pub051.html) needs a memory that does not grow: one
earlier cursor is the anchor, moved up whenever the steps since then reach the next power of two. A cycle of length n is
found within about 3n pages.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from app.engine.json_types import JSON, JsonObject
from app.engine.record_errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Frontier:
    """The progress of a unit; it grows with the requests in flight and those that failed, not with those done."""

    next: int = 0
    """Elements from here on were never started; those below that are not ``open`` are done."""
    open: Mapping[int, JSON] = field(default_factory=dict)
    """Elements in flight, each with the cursor of the next page; None for its first page."""
    failed: Mapping[int, JSON] = field(default_factory=dict)
    """Elements given up, each with the cursor of the page that failed; a resume repeats them."""

    def start(self, index: int) -> "Frontier":
        """Open the next element; one that is open already stays at its cursor."""
        if index in self.open:
            return self
        if index != self.next:
            raise ValueError(f"element {index} can not be started: the next one is {self.next}")
        return replace(self, next=index + 1, open={**self.open, index: None})

    def advance(self, index: int, cursor: JSON) -> "Frontier":
        """Move an open element on to the cursor of its next page."""
        self._require_open(index)
        return replace(self, open={**self.open, index: cursor})

    def finish(self, index: int) -> "Frontier":
        """Close an open element: it needs no more requests."""
        self._require_open(index)
        return replace(self, open={key: cursor for key, cursor in self.open.items() if key != index})

    def fail(self, index: int) -> "Frontier":
        """Close an open element that was given up, and keep where."""
        return replace(self.finish(index), failed={**self.failed, index: self.open[index]})

    def give_up(self, index: int, cursor: JSON) -> "Frontier":
        """Keep an element as failed at this cursor, whatever its state is now."""
        still_open = {key: other for key, other in self.open.items() if key != index}
        return replace(self, open=still_open, failed={**self.failed, index: cursor})

    def choose_next(self, asked: Collection[int], total: int) -> int | None:
        """Choose the next element: one that is open and not requested yet, else a new one."""
        for index in self.open:
            if index not in asked:
                return index
        return self.next if self.next < total else None

    def is_done(self, total: int) -> bool:
        """Whether every element was started and finished."""
        return self.next >= total and not self.open

    def to_json(self) -> JsonObject:
        """Write it as JSON, whose keys are text."""
        written = {"next": self.next, "open": _write_keys(self.open)}
        return {**written, "failed": _write_keys(self.failed)} if self.failed else written

    @classmethod
    def from_json(cls, value: JsonObject) -> "Frontier":
        """Read what ``to_json`` wrote; an empty object is a unit that has not started."""
        return cls(
            next=value.get("next", 0),
            open=_read_keys(value.get("open", {})),
            failed=_read_keys(value.get("failed", {})),
        )

    def _require_open(self, index: int) -> None:
        if index not in self.open:
            raise ValueError(f"element {index} is not open")


def _write_keys(cursors: Mapping[int, JSON]) -> JsonObject:
    return {str(index): cursor for index, cursor in cursors.items()}


def _read_keys(cursors: JsonObject) -> dict[int, JSON]:
    return {int(index): cursor for index, cursor in cursors.items()}


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
                "repeated_cursor",
                f"the upstream returned the cursor '{following[:100]}' twice: its pages run in circles",
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
