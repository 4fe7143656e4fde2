"""Pages that are asked for out of turn keep whatever pages in turn would have kept, or are read again in turn.

A record that is inserted moves others to later pages. Read in turn, such a record comes twice; but where a later page
is answered before an earlier one, it may come on neither. So the first page that was asked for before its predecessor
had come begins a *stretch*, whose *witness* is the last page that was taken in before that. At the end of the stretch
the witness is asked for once more: while its ids are the same, nothing has moved in front of it, and while the total is
the same, nothing anywhere. Else the list goes back to the beginning of the stretch, and reads it in turn. The stretch
is a part of the stored cursor: a crash in the middle of one leaves the check to whoever goes on.
"""

from dataclasses import replace
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, lookup
from app.engine.records.keys import RecordKey
from app.engine.records.outcomes import ListEnd, PageWarning
from app.sources.pagination import ends
from app.sources.pagination.state import ListState, fingerprint
from app.sources.pagination.values import PageAnswer, PageTurn

SHORTEST: Final = 32
"""Pages of a stretch at least: its check is one request more."""
DEPTHS: Final = 8
"""A stretch is so many times as long as the pages that may be under way at once: its check delays them a little."""
MOST_SHIFTS: Final = 3
"""A list that has moved so often is read in turn to its end."""
_FOR_EVER: Final = 10**9


def is_checking(state: ListState | None) -> bool:
    """Whether the next request is the check of a stretch, whose page is stored already."""
    return state is not None and state.stretch is not None and "ends" in state.stretch


def is_ended(state: ListState) -> bool:
    """Whether the check of a stretch is all that is left of a list."""
    return state.stretch is not None and state.stretch.get("ends") is not None


def checked_position(state: ListState) -> JSON:
    """Return the position of a stretch's witness."""
    assert state.stretch is not None
    return state.stretch["at"]


def witness(position: JSON, answer: PageAnswer, *, total: int | None) -> JsonObject:
    """Return what is kept of a page to compare it with later."""
    return {"at": position, "ids": _ids(answer), "total": total}


def track(came: ListState, answer: PageAnswer, turn: PageTurn, *, total: int | None = None, depth: int = 1) -> PageTurn:
    """Have the turn of a page that was asked for out of turn begin a stretch; go on in one, or end it by its check."""
    if turn.fault is not None:
        return turn
    stretch: JsonObject = came.stretch or {"from": came.to_json(), **(answer.witness or {})}
    if total is not None and total != stretch["total"]:
        back = go_back(replace(came, asked=came.asked + 1, stretch=stretch))
        return replace(back, records=turn.records, warnings=(*turn.warnings, *back.warnings))
    if turn.cursor is None:
        ended = replace(came, asked=came.asked + 1, stretch={**stretch, "ends": _end_json(turn)})
        return PageTurn(records=turn.records, cursor=ended.to_json())
    following = ListState.from_json(turn.cursor)
    is_over = following.asked - stretch["from"].get("asked", 0) >= max(SHORTEST, DEPTHS * depth)
    stretch = {**stretch, "ends": None} if is_over and not following.refused else stretch
    return replace(turn, cursor=replace(following, stretch=stretch).to_json())


def check(came: ListState, answer: PageAnswer, *, total: int | None) -> PageTurn:
    """Compare the witness of a stretch, as it is now, with what it was."""
    assert came.stretch is not None
    stretch = came.stretch
    if _ids(answer) != stretch["ids"] or total != stretch["total"]:
        return go_back(came)
    if stretch["ends"] is None:
        return ends.go_on(replace(came, stretch=None), [])
    return _ended(stretch["ends"])


def go_back(came: ListState) -> PageTurn:
    """Return to the beginning of a stretch under which the list has changed, and read it in turn."""
    assert came.stretch is not None
    shifts = came.shifts + 1
    alone = _FOR_EVER if shifts >= MOST_SHIFTS else came.asked
    start = replace(ListState.from_json(came.stretch["from"]), alone=alone, shifts=shifts)
    message = (
        f"the list changed while {came.asked - start.asked} of its pages were asked for side by side: "
        "they are read again one after the other"
    )
    return PageTurn(records=[], cursor=start.to_json(), warnings=(PageWarning("list_changed", message),))


def _ids(answer: PageAnswer) -> str:
    """Return what tells which records a page holds: their ids, or all of what has none."""
    return fingerprint(answer.records, lambda record: _id(record, answer.key))


def _id(record: JSON, key: RecordKey) -> JSON:
    parts = [lookup(record, path) for path in key.paths]
    return record if not parts or UNDEFINED in parts else parts


def _end_json(turn: PageTurn) -> JsonObject:
    assert turn.end is not None
    return {
        "reason": turn.end.reason,
        "is_proven": turn.end.is_proven,
        "expected": turn.expected,
        "warnings": [[one.code, one.message, one.count] for one in turn.warnings],
    }


def _ended(ended: JsonObject) -> PageTurn:
    return PageTurn(
        records=[],
        cursor=None,
        end=ListEnd(ended["reason"], is_proven=ended["is_proven"]),
        expected=ended["expected"],
        warnings=tuple(PageWarning(*one) for one in ended["warnings"]),
    )
