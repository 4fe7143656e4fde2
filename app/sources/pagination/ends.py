"""How a list ends: by proof, without proof, or as a failure that keeps its records."""

from dataclasses import replace
from typing import Final

from app.engine.integrations.pagination import EndRules
from app.engine.json_types import JSON
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import ListEnd, PageWarning
from app.engine.runs.frontier import CursorTrail
from app.sources.pagination.state import ListState
from app.sources.pagination.values import PageRefusal, PageResult

REFUSALS: Final = frozenset({400, 404, 416, 422})
"""Statuses that servers answer for a page behind the last one; such a status alone proves nothing."""

EXPIRED: Final = frozenset({400, 404, 410, 422})
"""Statuses that servers answer for a cursor which they do not know any more; no list ends by them."""
_MOST_RESTARTS: Final = 1

_UNPROVEN_REASONS: Final = {
    "refused": "the list ended because the upstream refused two positions in a row",
    "repeated_page": "the list ended because the upstream repeated its last page",
    "not_modified": "the upstream answered 304: nothing has changed, which does not say what there is",
}

_MOVED: Final = PageWarning(
    "list_changed",
    "one page repeated the one before, and the next did not: the list probably moved by a page while it was read",
)


def end_list(rules: EndRules, state: ListState, records: list[JSON], reason: str) -> PageResult:
    """End a list as the upstream declares it; one with fewer records than its declared total fails."""
    return _end(rules, state, records, ListEnd(reason))


def end_unproven(rules: EndRules, state: ListState, reason: str) -> PageResult:
    """End a list although the upstream did not declare its end."""
    return _end(rules, state, [], ListEnd(reason, is_proven=False))


def end_unchanged(state: ListState | None) -> PageResult:
    """End a list of which the upstream says only that nothing in it has changed: nothing can be missing from it."""
    warning = PageWarning("unproven_end", _UNPROVEN_REASONS["not_modified"])
    expected = None if state is None or state.is_part else state.total
    end = ListEnd("not_modified", is_proven=False)
    return PageResult(records=[], cursor=None, end=end, expected=expected, warnings=(warning,))


def fail_list(
    error: SourceError, records: list[JSON], at: ListState | None, *, is_suspicion: bool = False
) -> PageResult:
    """End a list as failed and keep its records; ``at`` is where to ask again, None is the first page."""
    cursor = at.to_json() if at is not None and at.asked else None
    return PageResult(records=records, cursor=cursor, fault=error, is_suspicion=is_suspicion)


def restart_list(at: ListState, refusal: PageRefusal) -> PageResult:
    """Request a list again from its beginning, once: the upstream may have forgotten the cursor; else it fails."""
    error, page = refusal.error, at.asked + 1
    if at.restarts < _MOST_RESTARTS:
        message = (
            f"the upstream refused the cursor of page {page} ({refusal.status}), which may have expired: "
            "the list is requested again from its beginning"
        )
        cursor = ListState(restarts=at.restarts + 1).to_json()
        return PageResult(records=[], cursor=cursor, warnings=(PageWarning("cursor_expired", message),))
    message = (
        f"{error.message}: the upstream refused the cursor of page {page}, although the list was requested again "
        "from its beginning"
    )
    # No cursor: a resume must not request the refused one again.
    fault = SourceError(error.code, message, status=error.status, excerpt=error.excerpt)
    return PageResult(records=[], cursor=None, fault=fault)


def continue_list(state: ListState, records: list[JSON]) -> PageResult:
    """Go on with the next page."""
    return PageResult(records=records, cursor=state.to_json())


def continue_past_empty(rules: EndRules, before: ListState, following: ListState) -> PageResult:
    """Go on with the next page, which an empty one promises; too many of these in a row are a failure."""
    if following.empty < rules.most_empty_pages:
        return continue_list(following, [])
    message = (
        f"{following.empty} empty pages in a row said that there is more; if the API scans through what it filters "
        "out, set max_empty_pages in the pagination"
    )
    return fail_list(SourceError("empty_pages", message), [], replace(before, empty=0))


def end_repeated(rules: EndRules, before: ListState) -> PageResult:
    """End a list whose positions all give the same page: the server clamps them, or ignores their parameter."""
    if before.pages > 1:
        return end_unproven(rules, before, "repeated_page")
    message = (
        f"the first and the second page hold the same {before.size} records: the upstream ignores the parameter that "
        "names the page. Correct the pagination, or set it to null for a method that gives everything at once"
    )
    at = before
    if before.repeated_at is not None:
        trail = CursorTrail()
        at = replace(before, next=before.repeated_at, asked=before.asked - 1, repeated_at=None, trail=trail)
    return fail_list(SourceError("repeated_page", message), [], at)


def _end(rules: EndRules, state: ListState, records: list[JSON], found: ListEnd) -> PageResult:
    """End a list; one with fewer records than its declared total fails, unless the total is an estimate."""
    if found.is_proven and state.has_moved:
        unproven = PageWarning(
            "unproven_end", "the list probably moved while it was read, so some records may have been missed"
        )
        end = ListEnd(found.reason, is_proven=False)
        return PageResult(records=records, cursor=None, end=end, warnings=(_MOVED, unproven))
    expected = None if state.is_part else state.total
    warnings = () if found.is_proven else (PageWarning("unproven_end", _UNPROVEN_REASONS[found.reason]),)
    warnings = (_MOVED, *warnings) if state.is_moved else warnings
    if not state.is_short:
        return PageResult(records=records, cursor=None, end=found, expected=expected, warnings=warnings)
    message = f"the upstream declared {state.total} records and returned {state.got} ({found.reason})"
    if not rules.is_estimate:
        error = SourceError(
            "incomplete", f"{message}; a total that is only near the truth is declared by total: estimate"
        )
        return PageResult(records=records, cursor=None, expected=expected, fault=error)
    warnings = (*warnings, PageWarning("total_mismatch", message))
    return PageResult(records=records, cursor=None, end=found, expected=expected, warnings=warnings)
