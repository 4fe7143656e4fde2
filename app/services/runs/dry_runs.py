"""Try a run without one: its plan, its first requests, the first page of each root; nothing is written.

Only requests that read are sent, one for each root, and all of them within one bounded time.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from dataclasses import dataclass, field, replace
from typing import Final

from app.engine.errors import Failure, InvalidInputError
from app.engine.jobs import scope
from app.engine.jobs.items import ResourceItem
from app.engine.json_types import JsonObject
from app.engine.objects.runs import SyncJobRun
from app.engine.record_errors import RecordError, SourceError
from app.engine.runs.increments import LowerBounds
from app.services.contexts.calls import build_page_call
from app.services.contexts.context import RunContext, RunContexts, RunUnworkableError
from app.services.ports import Clock, FetchedPage, PageCall, Source
from app.services.runs.requests import RunDraft
from app.services.unified import mappings

_READING: Final = frozenset({"list", "get"})
_MOST_SHOWN: Final = 100


@dataclass(slots=True)
class _Look:
    """What was found out about one item."""

    item: ResourceItem
    elements: int = 0
    """The requests that are known of; each may have further pages."""
    request: JsonObject | None = None
    answer: "Future[FetchedPage] | None" = None
    call: PageCall | None = None
    page: FetchedPage | None = None
    error: RecordError | None = None
    first_element: JsonObject = field(default_factory=dict)


class DryRuns:
    """Tries runs."""

    def __init__(
        self,
        *,
        contexts: RunContexts,
        lower_bounds: Callable[[RunDraft], LowerBounds],
        source: Source,
        clock: Clock,
        timeout_seconds: float,
    ) -> None:
        self._contexts = contexts
        self._lower_bounds = lower_bounds
        self._source = source
        self._clock = clock
        self._timeout_seconds = timeout_seconds

    def try_out(self, draft: RunDraft) -> JsonObject:
        """Show what a valid draft's run would begin with; raise InvalidInputError when it could not be worked on."""
        try:
            bounds = self._lower_bounds(draft)
            context = self._contexts.preview(self._run(draft, bounds), bounds)
        except RunUnworkableError as error:
            raise InvalidInputError([Failure("integrated_account_id", error.message)]) from error
        looks = {item.name: _Look(item) for item in context.plan.order}
        for item in context.plan.roots:
            self._ask(context, looks[item.name])
        deadline = time.monotonic() + self._timeout_seconds
        for item in context.plan.roots:
            _wait(looks[item.name], deadline)
        for item in context.plan.order:
            if item.depends_on is not None and item.is_request:
                self._look_behind(context, looks[item.name], looks[item.depends_on])
        return _view(draft, context, looks)

    def _run(self, draft: RunDraft, bounds: LowerBounds) -> SyncJobRun:
        now = self._clock.now()
        return replace(draft.to_run(at=now, bounds=bounds), started_at=now)

    def _ask(self, context: RunContext, look: _Look) -> None:
        """Resolve a root's first request, and send it if it only reads."""
        try:
            elements = scope.list_root_elements(look.item, context.scope_of(look.item))
            look.elements = len(elements)
            if not elements:
                return
            look.call = build_page_call(context, look.item, elements[0], None)
            look.request = self._source.preview(look.call)
        except RecordError as error:
            look.error = error
            return
        if look.call.method in _READING:
            look.answer = self._source.submit(replace(look.call, is_handed_on=True))

    def _look_behind(self, context: RunContext, look: _Look, parent: _Look) -> None:
        """Resolve a child's first request by its parent's first record, where there is one."""
        if parent.page is None:
            return
        try:
            seen = context.scope_of(look.item)
            for record in parent.page.records:
                found = scope.list_child_elements(
                    look.item, context.plan, parent.item, parent.first_element, record, seen
                )
                look.elements += len(found)
                if found and look.request is None:
                    look.request = self._source.preview(build_page_call(context, look.item, found[0], None))
        except RecordError as error:
            look.error = error


def _wait(look: _Look, deadline: float) -> None:
    if look.answer is None or look.call is None:
        return
    try:
        look.page = mappings.map_page(look.call, look.answer.result(timeout=max(0.0, deadline - time.monotonic())))
        look.error = look.page.fault
    except FutureTimeoutError:
        look.answer.cancel()
        look.error = SourceError("timeout", "the API gave no answer within the time that a dry run may take")
    except RecordError as error:
        look.error = mappings.map_error(look.call, error)


def _view(draft: RunDraft, context: RunContext, looks: Mapping[str, _Look]) -> JsonObject:
    requests = sum(_count_requests(look) for look in looks.values())
    pace = context.config.rate_limit.pace
    return {
        "sync_job_id": draft.request.sync_job_id,
        "integrated_account_id": draft.request.integrated_account_id,
        "args": draft.args,
        "resources": [_view_look(look) for look in looks.values()],
        "estimate": {
            "requests_at_least": requests,
            "is_exact": all(_is_known(look) for look in looks.values()),
            "requests_per_second": pace,
            "seconds_at_least": None if not pace else round(requests / pace, 3),
        },
    }


def _view_look(look: _Look) -> JsonObject:
    item = look.item
    return {
        "name": item.name,
        "resource": item.resource,
        "method": item.method,
        "type": str(item.kind),
        "depends_on": item.depends_on,
        "persist": item.persist,
        "request": look.request,
        "requests_at_least": _count_requests(look),
        "first_page": None if look.page is None else _view_page(look.page),
        "error": None if look.error is None else {"code": look.error.code, "message": look.error.message},
    }


def _view_page(page: FetchedPage) -> JsonObject:
    return {
        "records": page.records[:_MOST_SHOWN],
        "count": len(page.records),
        "has_more": page.leads_on,
        "errors": [{"code": error.code, "message": error.message} for error in page.errors[:_MOST_SHOWN]],
    }


def _count_requests(look: _Look) -> int:
    has_more = look.page is not None and look.page.leads_on
    return look.elements + int(has_more)


def _is_known(look: _Look) -> bool:
    """Whether no further request can come of an item: its only element has had its last page, and has no child."""
    if not look.item.is_request or look.elements == 0:
        return look.item.depends_on is None
    return look.page is not None and not look.page.leads_on and look.elements == 1
