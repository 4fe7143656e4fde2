"""Check pages that are requested out of turn, and read them again in turn where the list has changed.

An inserted record moves others to later pages. Read in turn, such a record comes twice; but where a later page is
answered before an earlier one, it may be on neither. So the first page that is requested before the answer to its
predecessor begins a *stretch*, whose *witness* is the last page that was read before. At the end of the stretch the
witness is requested again: while its ids are the same, nothing has moved in front of it, and while the total is the
same, nothing anywhere. Otherwise the list returns to the beginning of the stretch, and reads it in turn. The stretch is
part of the stored cursor, so that after a crash the next worker makes the check.
"""

from dataclasses import replace
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED, lookup
from app.engine.records.keys import RecordKey
from app.engine.records.outcomes import ListEnd, PageWarning
from app.sources.pagination import ends
from app.sources.pagination.state import ListState, compute_fingerprint
from app.sources.pagination.values import PageAnswer, PageResult

SHORTEST: Final = 32
"""The fewest pages of a stretch: each check costs a request."""
DEPTHS: Final = 8
"""The length of a stretch in multiples of the concurrent pages: its check delays them a little."""
MOST_SHIFTS: Final = 3
"""A list that has changed so often is read in turn to its end."""
_FOR_EVER: Final = 10**9


def is_checking(state: ListState | None) -> bool:
    """Whether the next request is the check of a stretch, whose page is stored already."""
    return state is not None and state.stretch is not None and "ends" in state.stretch


def is_given_up(state: ListState) -> bool:
    """Whether a list has changed so often that it is read in turn to its end."""
    return state.shifts >= MOST_SHIFTS


def is_ended(state: ListState) -> bool:
    """Whether the check of a stretch is all that is left of a list."""
    return state.stretch is not None and state.stretch.get("ends") is not None


def find_witness_position(state: ListState) -> JSON:
    """Return the position of a stretch's witness."""
    assert state.stretch is not None
    return state.stretch["at"]


def build_witness(position: JSON, answer: PageAnswer, *, total: int | None) -> JsonObject:
    """Return what identifies a page's content later."""
    return {"at": position, "ids": _hash_ids(answer), "total": total}


def track(
    before: ListState, answer: PageAnswer, result: PageResult, *, total: int | None = None, depth: int = 1
) -> PageResult:
    """Return the result of a page that was requested out of turn: it begins a stretch, goes on in it, or ends it."""
    if result.fault is not None:
        return result
    stretch: JsonObject = before.stretch or {"from": before.to_json(), **(answer.witness or {})}
    if total is not None and total != stretch["total"]:
        back = go_back(replace(before, asked=before.asked + 1, stretch=stretch))
        return replace(back, records=result.records, warnings=(*result.warnings, *back.warnings))
    if result.cursor is None:
        ended = replace(before, asked=before.asked + 1, stretch={**stretch, "ends": _encode_end(result)})
        return PageResult(records=result.records, cursor=ended.to_json())
    following = ListState.from_json(result.cursor)
    is_over = following.asked - stretch["from"].get("asked", 0) >= max(SHORTEST, DEPTHS * depth)
    is_doubtful = following.refused is not None or following.repeated_at is not None
    stretch = {**stretch, "ends": None} if is_over and not is_doubtful else stretch
    return replace(result, cursor=replace(following, stretch=stretch).to_json())


def check(before: ListState, answer: PageAnswer, *, total: int | None) -> PageResult:
    """Compare the witness of a stretch with what it was."""
    assert before.stretch is not None
    stretch = before.stretch
    if _hash_ids(answer) != stretch["ids"] or total != stretch["total"]:
        return go_back(before)
    if stretch["ends"] is None:
        return ends.continue_list(replace(before, stretch=None), [])
    return _end(stretch["ends"])


def go_back(before: ListState) -> PageResult:
    """Return to the beginning of a stretch under which the list has changed, and read it in turn."""
    assert before.stretch is not None
    shifts = before.shifts + 1
    alone = _FOR_EVER if shifts >= MOST_SHIFTS else before.asked
    # By now the next page may hold what the one before it held: that is no sign that the pages repeat.
    start = replace(ListState.from_json(before.stretch["from"]), alone=alone, shifts=shifts, seen=None)
    message = (
        f"the list changed while {before.asked - start.asked} of its pages were requested side by side: "
        "they are read again one after the other"
    )
    return PageResult(records=[], cursor=start.to_json(), warnings=(PageWarning("list_changed", message),))


def identify_records(answer: PageAnswer) -> list[JSON]:
    """Return the ids of a page's records, and the records that have none."""
    return [_id_of(record, answer.key) for record in answer.records]


def _hash_ids(answer: PageAnswer) -> str:
    """Return a hash of a page's ids, and of the records that have none."""
    return compute_fingerprint(answer.records, lambda record: _id_of(record, answer.key))


def _id_of(record: JSON, key: RecordKey) -> JSON:
    parts = [lookup(record, path) for path in key.paths]
    return record if not parts or UNDEFINED in parts else parts


def _encode_end(result: PageResult) -> JsonObject:
    assert result.end is not None
    return {
        "reason": result.end.reason,
        "is_proven": result.end.is_proven,
        "expected": result.expected,
        "warnings": [[one.code, one.message, one.count] for one in result.warnings],
    }


def _end(ended: JsonObject) -> PageResult:
    return PageResult(
        records=[],
        cursor=None,
        end=ListEnd(ended["reason"], is_proven=ended["is_proven"]),
        expected=ended["expected"],
        warnings=tuple(PageWarning(*one) for one in ended["warnings"]),
    )
