"""Lists whose pages are counted: by number, by offset, by range.

Such a list ends with an empty page, or where the upstream declares its end: a short page proves nothing, since servers
limit their pages and filter them afterwards.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from app.engine.integrations.pagination import Numbered, PagePagination, RangePagination
from app.engine.json_types import JSON, JsonObject
from app.engine.limits import constants
from app.sources.pagination import ends, limits, page_facts, positions
from app.sources.pagination.page_facts import PageFacts
from app.sources.pagination.positions import AnswerRange
from app.sources.pagination.state import ListState, decode_error, encode_error
from app.sources.pagination.values import PageAnswer, PageRefusal, PageRequest, PageResult

_NO_RANGE = AnswerRange()


@dataclass(frozen=True, slots=True)
class NumberedList:
    """A list by numbers, offsets or ranges."""

    pagination: Numbered
    query: JsonObject
    """The query that the request has already."""

    def build_request(self, state: ListState | None) -> PageRequest:
        """Return the request for the next page."""
        return positions.build_request(self.pagination, self.query, self._begin_state(state).next)

    def list_ahead(self, state: ListState, depth: int) -> Iterator[JSON]:
        """Yield the position of the next page, and those of the pages that most likely follow it.

        They reach beyond ``depth`` pages, so that one slow answer does not delay the pages behind it. With an unknown
        end they are at most as many as were read: beyond it such requests are lost.
        """
        yield state.next
        if self._is_in_turn(state):
            return
        step = 1 if isinstance(self.pagination, PagePagination) else state.size or 1
        left = self._count_pages_left(state)
        reach = min(constants.REACH * depth, state.pages if left is None else left)
        for number in range(1, reach):
            yield int(state.next) + number * step

    def knows_end(self, state: ListState) -> bool:
        """Whether the upstream has declared how long the list is."""
        return self._count_pages_left(state) is not None

    def find_total(self, answer: PageAnswer) -> int | None:
        """Return the total that an answer declares, unless it is an estimate."""
        rules = self.pagination.end_rules
        total = positions.read_range(self.pagination, answer).total
        if total is not None or rules.is_estimate:
            return total
        return page_facts.read_facts(rules, answer.document, answer.headers, status=answer.status, is_first=False).total

    def read_page(self, state: ListState | None, answer: PageAnswer, *, decides_deletions: bool) -> PageResult:
        """Return the result of a page; raise SourceError where it can not be read."""
        before, rules = self._begin_state(state), self.pagination.end_rules
        answered = positions.read_range(self.pagination, answer)
        facts = page_facts.read_facts(
            rules, answer.document, answer.headers, status=answer.status, is_first=state is None
        )
        after = before.add_page(
            answer.records, total=facts.total if answered.total is None else answered.total, told_pages=facts.pages
        )
        if answer.records:
            return self._read_full(before, after, answer.records, facts, answered)
        return self._read_empty(before, after, facts, answered, decides_deletions=decides_deletions)

    def read_refusal(self, state: ListState | None, refusal: PageRefusal) -> PageResult | None:
        """Return the result of a refusal; None where it is an error of the list."""
        before, rules = self._begin_state(state), self.pagination.end_rules
        if page_facts.is_over(rules, refusal.document, refusal.headers, status=refusal.status):
            return ends.end_list(rules, before, [], "stop_when")
        is_beyond = isinstance(self.pagination, RangePagination) and refusal.status == 416
        if is_beyond and (total := positions.parse_content_range(refusal.headers)[1]) is not None:
            return ends.end_list(rules, replace(before, total=total), [], "content_range")
        if state is None:
            return ends.end_unproven(rules, before, "refused") if is_beyond else None
        if refusal.status in ends.REFUSALS and before.is_met and not rules.is_estimate:
            return ends.end_list(rules, before, [], "total")
        if refusal.status not in ends.REFUSALS or before.is_promised or (before.is_short and not rules.is_estimate):
            return None
        if before.refused or before.is_confirming:
            return ends.end_unproven(rules, before, "refused")
        following = positions.find_next_after_empty(self.pagination, before, self.query, _NO_RANGE)
        if following == before.next:
            return None
        refused = encode_error(refusal.error, before.next)
        return ends.continue_list(replace(before, next=following, asked=before.asked + 1, refused=refused), [])

    def _is_in_turn(self, state: ListState) -> bool:
        """Whether the pages behind the next one can only be requested after its answer."""
        is_doubtful = bool(state.refused or state.empty or state.is_confirming or state.pages < 2)
        return (
            is_doubtful or state.repeated_at is not None or state.asked < state.alone or not isinstance(state.next, int)
        )

    def _count_pages_left(self, state: ListState) -> int | None:
        """Return how many pages are left, as the upstream declares it; None where it does not."""
        if state.is_part:
            return None
        if state.told_pages is not None:
            return max(1, state.told_pages - state.asked)
        if state.total is None or self.pagination.end_rules.is_estimate or not state.size:
            return None
        return max(1, -(-(state.total - state.got) // state.size))

    def _begin_state(self, state: ListState | None) -> ListState:
        return positions.begin(self.pagination, self.query) if state is None else state

    def _read_full(
        self, before: ListState, after: ListState, records: list[JSON], facts: PageFacts, answered: AnswerRange
    ) -> PageResult:
        rules = self.pagination.end_rules
        if before.refused:
            return ends.fail_list(
                decode_error(before.refused),
                records,
                replace(before, next=before.refused["at"], asked=before.asked - 1, refused=None),
            )
        if after.seen == before.seen:
            return self._read_repeated(before, len(records), facts, answered)
        has_pages = facts.pages is not None and not after.is_part  # else this page would have been the last one
        is_promised = bool(facts.has_more) or answered.following is not None or has_pages
        reason = self._find_declared_end(before, after, facts, answered)
        if reason is None and not is_promised and not (after.is_short and not rules.is_estimate):
            reason = self._find_short_end(before, len(records))
        if reason is not None:
            return ends.end_list(rules, after, records, reason)
        following = positions.find_next(self.pagination, before.next, len(records), answered)
        return ends.continue_list(replace(after, next=following, is_promised=is_promised), records)

    def _read_repeated(self, before: ListState, count: int, facts: PageFacts, answered: AnswerRange) -> PageResult:
        """Return the result of a page that repeats the one before: the next one shows whether the list moved."""
        rules = self.pagination.end_rules
        if before.repeated_at is not None:
            return ends.end_repeated(rules, before)
        total = facts.total if answered.total is None else answered.total
        repeated = before.repeat_page(total=total, told_pages=facts.pages)
        if repeated.is_met and facts.has_more is None and not rules.is_estimate:
            return ends.end_list(rules, replace(repeated, repeated_at=None), [], "total")
        reason = self._find_declared_end(before, replace(repeated, is_part=True), facts, answered)
        if reason is not None:
            return ends.end_list(rules, repeated, [], reason)
        following = positions.find_next(self.pagination, before.next, count, answered)
        if following == before.next:
            return ends.end_repeated(rules, before)
        is_promised = bool(facts.has_more) or answered.following is not None
        return ends.continue_list(replace(repeated, next=following, is_promised=is_promised), [])

    def _read_empty(
        self, before: ListState, after: ListState, facts: PageFacts, answered: AnswerRange, *, decides_deletions: bool
    ) -> PageResult:
        rules = self.pagination.end_rules
        if before.refused:
            return ends.end_unproven(rules, after, "refused")
        if reason := self._find_declared_end(before, after, facts, answered):
            return ends.end_list(rules, after, [], reason)
        if after.is_met and not rules.is_estimate:
            return ends.end_list(rules, after, [], "total")
        following = positions.find_next_after_empty(self.pagination, before, self.query, answered)
        if facts.has_more or answered.following is not None or self._is_within(before, after, facts):
            promised = replace(after, next=following, empty=before.empty + 1, is_promised=True)
            return ends.continue_past_empty(rules, before, promised)
        is_confirmed = before.is_confirming or (after.total is not None and not rules.is_estimate)
        if decides_deletions and not is_confirmed and following != before.next:
            return ends.continue_list(replace(after, next=following, is_confirming=True), [])
        return ends.end_list(rules, after, [], "empty_page")

    def _find_declared_end(
        self, before: ListState, after: ListState, facts: PageFacts, answered: AnswerRange
    ) -> str | None:
        """Return the reason by which an answer declares the end of the list."""
        if facts.is_over:
            return "stop_when"
        if facts.has_more is not None:
            return None if facts.has_more else "no_more"
        is_met = after.is_met and not self.pagination.end_rules.is_estimate
        if is_met and not self._may_be_of_page(before, after, answered):
            return "total"
        if facts.pages is not None and after.asked >= facts.pages and not after.is_part:
            return "total_pages"
        if answered.is_whole:
            return "whole_answer"
        return "no_cursor" if isinstance(before.next, str) and answered.following is None else None

    def _may_be_of_page(self, before: ListState, after: ListState, answered: AnswerRange) -> bool:
        """Whether a total may be that of the page, by a path that is not the list's: one request more shows it."""
        limit = limits.find_limit(self.pagination, self.query)
        return not before.asked and answered.total is None and limit is not None and after.got >= limit

    def _find_short_end(self, before: ListState, count: int) -> str | None:
        """Return the reason where a page's length ends the list, as the API documents it."""
        limit = limits.find_limit(self.pagination, self.query)
        if not self.pagination.short_page_ends or limit is None:
            return None
        if before.size is not None:
            # The first page shows the server's own limit.
            return "short_page" if count < min(limit, before.size) else None
        # A first page of a round length may be at that limit: one more request shows it.
        return "short_page" if count < limit and count % 10 and count % 25 else None

    def _is_within(self, before: ListState, after: ListState, facts: PageFacts) -> bool:
        """Whether the declared pages or records reach beyond an empty page."""
        if facts.pages is not None and not after.is_part:
            return after.asked < facts.pages
        if after.total is None or not after.is_short or self.pagination.end_rules.is_estimate:
            return False
        step = positions.find_expected_size(self.pagination, before, self.query)
        if isinstance(self.pagination, PagePagination):
            return after.asked * step < after.total
        return isinstance(before.next, int) and before.next + step < after.total
