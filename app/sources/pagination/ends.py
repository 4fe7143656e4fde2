"""The ways in which a list ends: by a fact, by a guess, or as a failure that keeps what it has given."""

from dataclasses import replace
from typing import Final

from app.engine.integrations.pagination import EndSigns
from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import ListEnd, PageWarning
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageTurn

REFUSALS: Final = frozenset({400, 404, 416, 422})
"""What servers answer to a page behind the last one; that it is one of these proves nothing."""

_GUESSES: Final = {
    "refused": "the list ended because the upstream refused two positions in a row",
    "repeated_page": "the list ended because the upstream gave the same page twice",
}


def end(signs: EndSigns, state: ListState, records: list[JSON], reason: str) -> PageTurn:
    """End a list by what the upstream said; one that holds less than its declared total is a failure."""
    return _ended(signs, state, records, ListEnd(reason))


def guess(signs: EndSigns, state: ListState, reason: str) -> PageTurn:
    """End a list although the upstream did not say that there is no more."""
    return _ended(signs, state, [], ListEnd(reason, is_proven=False))


def fail(error: SourceError, records: list[JSON], at: ListState | None, *, is_suspicion: bool = False) -> PageTurn:
    """End a list as failed and keep its records; ``at`` is where to ask again, None is the first page."""
    cursor = at.to_json() if at is not None and at.asked else None
    return PageTurn(records=records, cursor=cursor, fault=error, is_suspicion=is_suspicion)


def go_on(state: ListState, records: list[JSON]) -> PageTurn:
    """Have the next page asked for."""
    return PageTurn(records=records, cursor=state.to_json())


def go_on_past_empty(signs: EndSigns, came: ListState, following: ListState) -> PageTurn:
    """Have the next page asked for, which an empty one promised; too many of these in a row are a failure."""
    if following.empty < signs.most_empty_pages:
        return go_on(following, [])
    message = (
        f"{following.empty} empty pages in a row said that there is more; if the API scans through what it filters "
        "out, set max_empty_pages in the pagination"
    )
    return fail(SourceError("empty_pages", message), [], replace(came, empty=0))


def repeated(signs: EndSigns, came: ListState, count: int) -> PageTurn:
    """End a list whose page is the one before it once more: it clamps, or it ignores what names the page."""
    if came.pages > 1:
        return guess(signs, came, "repeated_page")
    message = (
        f"the first and the second page hold the same {count} records: the upstream ignores the parameter that names "
        "the page. Correct the pagination, or set it to null for a method that gives everything at once"
    )
    return fail(SourceError("repeated_page", message), [], came)


def _ended(signs: EndSigns, state: ListState, records: list[JSON], found: ListEnd) -> PageTurn:
    """End a list; one that holds less than its declared total is a failure, unless the total is an estimate."""
    expected = None if state.is_part else state.total
    warnings = () if found.is_proven else (PageWarning("unproven_end", _GUESSES[found.reason]),)
    if not state.is_short:
        return PageTurn(records=records, cursor=None, end=found, expected=expected, warnings=warnings)
    message = f"the upstream told of {state.total} records and gave {state.got} ({found.reason})"
    if not signs.is_estimate:
        error = SourceError(
            "incomplete", f"{message}; a total that is only near the truth is declared by total: estimate"
        )
        return PageTurn(records=records, cursor=None, expected=expected, fault=error)
    warnings = (*warnings, PageWarning("total_mismatch", message))
    return PageTurn(records=records, cursor=None, end=found, expected=expected, warnings=warnings)
