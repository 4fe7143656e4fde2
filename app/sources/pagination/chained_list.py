"""Lists whose pages each name the next one: by a cursor, by a link, or by what an expression computes."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from app.engine.config.reader import name_type
from app.engine.integrations.pagination import (
    Chained,
    CursorPagination,
    DynamicPagination,
    LinkHeaderPagination,
    NextIs,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import SourceError
from app.sources.pagination import computed, ends, limits, next_links, page_facts
from app.sources.pagination.page_facts import PageFacts
from app.sources.pagination.state import ListState, advance_to, format_position
from app.sources.pagination.values import PageAnswer, PageRefusal, PageRequest, PageResult
from app.sources.request_parts import bodies

_LONGEST_NEXT: Final = 64 * 1024
"""As long as a header may be: it is stored with each page, and a longer one takes seconds to check."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NextPage:
    """The next page of a list, as an answer names it."""

    value: JSON = None
    """None: there is none."""
    reason: str = "no_cursor"
    """Why there is none."""
    suspicion: SourceError | None = None
    """There is none, although there probably should be one."""


_NO_NEXT: Final = NextPage()


@dataclass(frozen=True, slots=True)
class ChainedList:
    """A list by cursors, links or expressions."""

    pagination: Chained
    query: JsonObject
    """The query that the request has already."""
    request: JsonObject
    """The request as expressions see it."""
    plain: Callable[[JSON], JSON]
    """Removes secrets from a cursor, which is stored."""

    def build_request(self, state: ListState | None) -> PageRequest:
        """Return the request for the next page; raise SourceError ``expression``."""
        if isinstance(self.pagination, DynamicPagination):
            return computed.build_request(self.pagination, state, self.request)
        limit = limits.build_limit(self.pagination, self.query)
        place = getattr(self.pagination, "place", None)
        if state is None:
            return PageRequest(query=limit) if place is None else limits.place_parameters(place, limit)
        value = state.next
        address = next_links.find_link(value, requested=self._url, next_is=self._next_is)
        if address is not None or isinstance(self.pagination, LinkHeaderPagination):
            return PageRequest(address=address or str(value))
        return limits.place_parameters(self.pagination.place, {**limit, self.pagination.cursor_param: value})

    def read_page(self, state: ListState | None, answer: PageAnswer) -> PageResult:
        """Return the result of a page; raise SourceError where it can not be read."""
        before, rules = state or ListState(), self.pagination.end_rules
        facts = page_facts.read_facts(
            rules, answer.document, answer.headers, status=answer.status, is_first=state is None
        )
        after = before.add_page(answer.records, total=facts.total)
        is_repeated = bool(answer.records) and after.seen == before.seen
        if is_repeated and (before.is_asked_again or before.repeated_at is not None):
            return ends.end_repeated(rules, before)
        if before.is_asked_again and answer.records:
            return ends.fail_list(_repeated_cursor_error(before), answer.records, before)
        next_page = self._find_next(before, answer)
        if is_repeated:
            return self._decide(before, before.repeat_page(total=facts.total), [], facts, next_page)
        return self._decide(before, after, answer.records, facts, next_page)

    def read_refusal(self, state: ListState | None, refusal: PageRefusal) -> PageResult | None:
        """Return the result of a refusal; None where it is an error: there is no position behind it to ask for."""
        before, rules = state or ListState(), self.pagination.end_rules
        if page_facts.is_over(rules, refusal.document, refusal.headers, status=refusal.status):
            return ends.end_list(rules, before, [], "stop_when")
        is_complete = before.is_met and not rules.is_estimate
        return ends.end_list(rules, before, [], "total") if is_complete and refusal.status in ends.REFUSALS else None

    def _decide(
        self, before: ListState, after: ListState, records: list[JSON], facts: PageFacts, next_page: NextPage
    ) -> PageResult:
        rules = self.pagination.end_rules
        if facts.is_over or facts.has_more is False:
            return ends.end_list(rules, after, records, "stop_when" if facts.is_over else "no_more")
        if next_page.value is not None:
            return self._go_on(before, after, records, next_page.value)
        if facts.has_more:
            return ends.fail_list(self._contradiction_error(), records, before)
        if next_page.suspicion is not None:
            return ends.fail_list(next_page.suspicion, records, before, is_suspicion=True)
        return ends.end_list(rules, after, records, next_page.reason)

    def _go_on(self, before: ListState, after: ListState, records: list[JSON], value: JSON) -> PageResult:
        rules = self.pagination.end_rules
        is_own = bool(before.asked) and format_position(value) == format_position(before.next)
        if after.repeated_at is not None and is_own:
            return ends.end_repeated(rules, before)
        if after.repeated_at is not None:
            return ends.continue_list(replace(advance_to(after, before, value), is_promised=True), [])
        if records and is_own:
            return ends.continue_list(replace(after, next=value, trail=before.trail, is_asked_again=True), records)
        if records:
            return ends.continue_list(replace(advance_to(after, before, value), is_promised=True), records)
        if is_own:
            return ends.end_list(rules, after, [], "empty_page")
        if after.is_met and not rules.is_estimate:
            return ends.end_list(rules, after, [], "total")
        following = replace(advance_to(after, before, value), empty=before.empty + 1, is_promised=True)
        return ends.continue_past_empty(rules, before, following)

    def _find_next(self, before: ListState, answer: PageAnswer) -> NextPage:
        match self.pagination:
            case DynamicPagination():
                values = computed.compute_next(self.pagination, before, self.request, answer)
                return _check_size(NextPage(value=values)) if values else NextPage(reason="expression")
            case LinkHeaderPagination():
                return self._clean(before, NextPage(value=next_links.find_next_link(answer.links)))
            case CursorPagination():
                limit = limits.find_limit(self.pagination, self.query)
                is_full = limit is not None and len(answer.records) >= limit
                is_due = bool(answer.records)
                found = _find_cursor(
                    self.pagination, answer.document, is_due=is_due, is_full=is_full and not before.asked
                )
                return self._clean(before, found)

    def _clean(self, before: ListState, next_page: NextPage) -> NextPage:
        """Return a next page as it is stored: a link is joined to the page that named it, and secrets are removed."""
        if next_page.value is None:
            return next_page
        _check_size(next_page)
        previous = before.next if before.asked else None
        following = next_links.join_link(previous, next_page.value, requested=self._url, next_is=self._next_is)
        return replace(next_page, value=self.plain(following))

    @property
    def _url(self) -> str:
        return str(self.request.get("url", ""))

    @property
    def _next_is(self) -> NextIs:
        return self.pagination.next_is if isinstance(self.pagination, CursorPagination) else NextIs.LINK

    def _contradiction_error(self) -> SourceError:
        more = self.pagination.end_rules.has_more_path
        where = "Link header"
        if isinstance(self.pagination, CursorPagination):
            where = f"cursor at '{self.pagination.cursor_path}'"
        elif isinstance(self.pagination, DynamicPagination):
            where = "result of get_pagination_values_expression"
        return SourceError("pagination", f"the upstream says at '{more}' that there is more, and has no {where}")


def _find_cursor(pagination: CursorPagination, document: JSON, *, is_due: bool, is_full: bool) -> NextPage:
    """Find the cursor of an answer; raise SourceError ``pagination`` for a path that can not be right.

    After records one is expected; a full first page without one is suspicious.
    """
    path = pagination.cursor_path
    value = path.find(document)
    if value is UNDEFINED:
        missing = path.find_missing(document)
        if not is_due or missing is None or missing in path.optional or _is_index(path.keys[missing]):
            return _NO_NEXT
        error = SourceError("pagination", page_facts.describe_missing_path("cursor_path", path, missing))
        if missing < len(path.keys) - 1:
            raise error
        return NextPage(suspicion=error) if is_full else _NO_NEXT
    if pagination.is_end(value):
        return _NO_NEXT
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise SourceError(
            "pagination", f"expected a text or an integer as the cursor at '{path}', found {name_type(value)}"
        )
    return NextPage(value=value)


def _check_size(next_page: NextPage) -> NextPage:
    """Return a next page; raise SourceError ``pagination`` where it is too long to store, check and send."""
    size = len(next_page.value) if isinstance(next_page.value, str) else len(bodies.write_json(next_page.value))
    if size > _LONGEST_NEXT:
        message = f"the upstream's next cursor, or link, has {size} characters: expected at most {_LONGEST_NEXT}"
        raise SourceError("pagination", message)
    return next_page


def _is_index(key: str) -> bool:
    """Whether a key is the index of an array's element, of which an empty page has none."""
    return key.removeprefix("-").isdigit()


def _repeated_cursor_error(before: ListState) -> SourceError:
    message = f"the upstream gave the cursor '{str(before.next)[:100]}' twice, for different pages"
    return SourceError("repeated_cursor", message)
