"""Fetch pages from upstream HTTP APIs as an integration's config describes them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from app.engine.field_names import is_secret_name
from app.engine.integrations.config import MethodConfig
from app.engine.integrations.pagination import Pagination
from app.engine.json_types import JsonObject
from app.engine.records.outcomes import Reading, ReadingReason, ReadingWay
from app.engine.redaction import MASK
from app.services.ports import BudgetStore, FetchedPage, PageCall, PlainAnswer
from app.settings import Settings
from app.sources import fetched_pages, part_probes, partitioned_lists, request_spans, requests
from app.sources.answers import answers, computed_parts, plain_answers
from app.sources.answers.answers import ReadAnswer
from app.sources.credentials.token_cache import TokenCache
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import RefusedError
from app.sources.exchange.redaction import mask_secrets
from app.sources.limiter.gate_state import GateState
from app.sources.limiter.local_budgets import LocalBudgets
from app.sources.pagination.listing import Listing
from app.sources.pagination.values import PageRequest, PageResult
from app.sources.part_probes import Probe, choose_halves
from app.sources.partitioned_lists import Cut
from app.sources.read_ahead import Following, ReadAhead, SharedBytes
from app.sources.request_parts import next_addresses, stored_cursors
from app.sources.request_parts.drafts import RequestDraft
from app.sources.sending import Attempt
from app.sources.transport import Transport

T = TypeVar("T")


class HttpSource:
    """Upstreams over HTTP; one per process, safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        budgets: Callable[[], BudgetStore] = LocalBudgets,
        credentials: TokenCache | None = None,
        around: Callable[[Attempt], Attempt] | None = None,
    ) -> None:
        """Without ``credentials`` no token is renewed; ``around`` may record exchanges, or replay them."""
        self._credentials = credentials
        self._timeout_seconds = settings.request_timeout_seconds
        self._read_ahead_bytes = settings.read_ahead_bytes
        self._kept_ahead = SharedBytes(settings.read_ahead_bytes)
        self._transport = Transport(settings, budgets, around)

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Start to fetch a page; the future raises SourceError, RateLimitedError or PlaceholderError."""
        return self._submit(call, None)

    def open_list(self) -> ReadAhead | None:
        """Return a reader of the pages of one list that reads ahead; None where reading ahead is off."""
        if not self._read_ahead_bytes:
            return None
        return ReadAhead(self._submit, shared=self._kept_ahead, call_soon=self._transport.call_soon)

    def _submit(self, call: PageCall, ahead: ReadAhead | None) -> "Future[FetchedPage]":
        return self._transport.run(self._run_with_token(call, partial(self._fetch_once, ahead=ahead)))

    def pass_on(self, call: PageCall) -> "Future[PlainAnswer]":
        """Start a call whose answer is passed on as it is; the future raises as that of ``submit``."""
        return self._transport.run(self._run_with_token(call, self._pass_on_once))

    def preview(self, call: PageCall) -> JsonObject:
        """Return the request of a call with its secrets masked, and send nothing; raise as the future of ``submit``."""
        config = call.config.find_method(call.resource, call.method)
        _, _, request = self._build_request(call, config)
        headers = {
            name: MASK if is_secret_name(name) else mask_secrets(value, request.secrets)
            for name, value in request.headers.items()
        }
        body = None if request.body is None else mask_secrets(request.body.decode(errors="replace"), request.secrets)
        url = mask_secrets(request.url, request.secrets)
        return {"method": request.method.upper(), "url": url, "headers": headers, "body": body}

    def useful_requests(self, budget_key: str) -> int:
        """Return how many requests of a budget are worth having under way; more would only wait."""
        return self._transport.useful_requests(budget_key)

    def list_gates(self) -> Sequence[GateState]:
        """List how the gates of accounts stand that are in use."""
        return self._transport.list_gates()

    def close(self) -> None:
        """Cancel what is under way and close every connection."""
        self._transport.close()
        if self._credentials is not None:
            self._credentials.close()

    async def _run_with_token(self, call: PageCall, once: Callable[[PageCall], Awaitable[T]]) -> T:
        return await (once(call) if self._credentials is None else self._credentials.run(call, once))

    async def _pass_on_once(self, call: PageCall) -> PlainAnswer:
        config = call.config.find_method(call.resource, call.method)
        request = await self._run_aside(
            call,
            lambda: self._finish(requests.draft(call, config), PageRequest(), config),
            is_long=computed_parts.has_computed_parts(config),
        )
        request = request_spans.name_request(request, call, config)
        return plain_answers.build_plain_answer(await self._send(call, request, _return_response), request)

    def _build_request(self, call: PageCall, config: MethodConfig) -> tuple[RequestDraft, Listing, HttpRequest]:
        """Return the request for a page, its draft, and the list that the page is of."""
        drafted = requests.draft(call, config)
        listing = _open_listing(call, config, drafted)
        with fetched_pages.mask_errors(drafted):
            ask = listing.build_request()
        return drafted, listing, self._finish(drafted, ask, config)

    def _finish(self, drafted: RequestDraft, ask: PageRequest, config: MethodConfig) -> HttpRequest:
        timeout_seconds = config.timeout_seconds or self._timeout_seconds
        return requests.finish(drafted, ask, timeout_seconds=timeout_seconds)

    async def _run_aside(self, call: PageCall, function: Callable[[], T], *, is_long: bool) -> T:
        return await self._transport.run_aside(function, account_id=call.account_id) if is_long else function()

    def _send(self, call: PageCall, request: HttpRequest, read: Callable[[HttpResponse], Awaitable[T]]) -> Awaitable[T]:
        return self._transport.send(
            request,
            read,
            account_id=call.account_id,
            budget_key=call.config.rate_limit.find_budget_key(call.account_id, call.environment_id, call.context),
            endpoint=call.name,
            integration=call.integration,
            rate_limit=call.config.rate_limit,
        )

    async def _fetch_once(self, call: PageCall, *, ahead: ReadAhead | None = None) -> FetchedPage:
        config = call.config.find_method(call.resource, call.method)
        is_computed = computed_parts.has_computed_parts(config)
        build = partial(self._build_request, call, config)
        drafted, listing, request = await self._run_aside(call, build, is_long=is_computed)
        asked = _AskedPage(call=call, config=config, drafted=drafted, listing=listing, request=request)
        if known := partitioned_lists.list_known_parts(call, config, drafted):
            return fetched_pages.build_parts_page(known, is_requested=False)
        ask = partial(self._request_page, call, config, request)
        try:
            answer = await (ahead.take(listing.place, ask) if ahead else ask())
        except RefusedError as error:
            refusal = await fetched_pages.read_refusal(request, error)
            with fetched_pages.mask_errors(drafted):
                read_refusal = partial(listing.read_refusal, refusal, may_restart=not call.is_handed_on)
                result = await self._run_aside(call, read_refusal, is_long=is_computed)
            if result is None:
                raise
            return fetched_pages.build_page(drafted, request, result, status=error.response.status)
        if answer.is_file:
            return fetched_pages.build_file_page(drafted, request, answer.response)
        depth = ahead.widest if ahead else 1
        read = partial(listing.read_page, answer.page, decides_deletions=call.decides_deletions, depth=depth)
        result = await self._run_aside(call, read, is_long=is_computed or answer.response.is_large)
        if cut := partitioned_lists.choose_parts(call, config, drafted, result, answer.page.document):
            reason = None if call.part else await self._try_parts(call, config, cut)
            if reason is None:
                return fetched_pages.build_parts_page(cut.parts, is_requested=True)
            result = replace(result, warnings=(*result.warnings, part_probes.build_doubt(reason, most=cut.most)))
        reading = self._read_on(asked, answer, result, ahead)
        return replace(asked.build_page(answer, result), reading=reading)

    async def _try_parts(self, call: PageCall, config: MethodConfig, cut: Cut) -> str | None:
        """Request two parts that are the whole list together; return why it can not be cut."""
        probes = [
            await self._probe_part(replace(call, cursor=None, part=one), config) for one in choose_halves(cut.parts)
        ]
        total = partitioned_lists.find_exact_total(config, cut.total)
        if total is not None and part_probes.is_short(probes, total):
            # Records may have been deleted since the list's own page.
            again = await self._probe_part(replace(call, cursor=None), config)
            total = min(total, again.total) if isinstance(again, Probe) and again.total is not None else total
        return part_probes.judge_probes(probes, total)

    async def _probe_part(self, call: PageCall, config: MethodConfig) -> Probe | RefusedError:
        is_computed = computed_parts.has_computed_parts(config)
        _, listing, request = await self._run_aside(
            call, partial(self._build_request, call, config), is_long=is_computed
        )
        try:
            answer = await self._request_page(call, config, request)
        except RefusedError as error:
            if not part_probes.is_refusal(error):
                raise
            return error
        result = await self._run_aside(call, partial(listing.read_page, answer.page), is_long=is_computed)
        total = partitioned_lists.find_total(call, config, result, answer.page.document)
        return Probe(answer=answer.page, total=total)

    def _request_page(self, call: PageCall, config: MethodConfig, request: HttpRequest) -> Awaitable[ReadAnswer]:
        named = request_spans.name_request(request, call, config)
        return self._send(call, named, partial(answers.read, call, config, request))

    def _read_on(
        self, asked: "_AskedPage", answer: ReadAnswer, result: PageResult, ahead: ReadAhead | None
    ) -> Reading | None:
        """Request the pages behind one, as far as they may be requested before their turn; return how that is."""
        cursor = result.cursor
        if cursor is None or result.fault is not None:
            return None
        if not self._read_ahead_bytes:
            return Reading(ReadingWay.SEQUENTIAL, ReadingReason.SETTING)
        if (reason := asked.find_obstacle()) is not None:
            return Reading(ReadingWay.SEQUENTIAL, reason)
        reading = asked.listing.find_reading(cursor)
        if ahead:
            ahead.is_parallel = reading.way is ReadingWay.PARALLEL
            # Where the end is known, no request is in vain; else as many again as the list has had.
            knows_end = reading.reason is ReadingReason.TOTAL
            depth = ahead.most if knows_end else cursor.get("pages", 0)
            witness = asked.listing.build_witness(answer.page)
            following = self._find_following(asked, cursor, ahead)
            ahead.go_on(following, depth=depth, knows_end=knows_end, witness=witness)
        return reading

    def _find_following(
        self, asked: "_AskedPage", cursor: JsonObject, ahead: ReadAhead
    ) -> Callable[[int], Iterator[Following]]:
        """Return a function that yields the pages which likely follow a page, the next one first."""
        call, config = replace(asked.call, cursor=cursor), asked.config

        is_computed = computed_parts.has_computed_requests(config)

        async def ask(one: Listing) -> ReadAnswer:
            finish = partial(self._finish, asked.drafted, one.build_request(), config)
            return await self._request_page(call, config, await self._run_aside(call, finish, is_long=is_computed))

        def list_following(depth: int) -> Iterator[Following]:
            return (
                Following(one.place, partial(ask, one), is_extra=one.is_check)
                for one in asked.listing.list_ahead(cursor, depth, ahead.is_asked)
            )

        return list_following


@dataclass(frozen=True, slots=True, kw_only=True)
class _AskedPage:
    """A page of a list, and the request that was made for it."""

    call: PageCall
    config: MethodConfig
    drafted: RequestDraft
    listing: Listing
    request: HttpRequest

    def find_obstacle(self) -> ReadingReason | None:
        """Return why no page may be requested before its turn, whatever the pagination is."""
        return None if self.request.is_repeatable else ReadingReason.NOT_REPEATABLE

    def build_page(self, answer: ReadAnswer, result: PageResult) -> FetchedPage:
        """Return the page of what pagination has made of its answer."""
        response, mapping = answer.response, self.call.mapping
        result = replace(result, warnings=(*result.warnings, *answer.warnings)) if answer.warnings else result
        if self.call.is_handed_on:
            records = plain_answers.mask_records(result.records, response.body, self.request.credentials)
            result = replace(result, records=records)
        page = fetched_pages.build_page(self.drafted, self.request, result, response=response)
        if mapping is None:
            return page
        page = replace(page, has_short_integers=fetched_pages.has_short_integers(response))
        if not mapping.reads_headers:
            return page
        shown = {name: value for name, value in response.plain_headers.items() if not is_secret_name(name)}
        return replace(page, headers=shown)


async def _return_response(response: HttpResponse) -> HttpResponse:
    return response


def _open_listing(call: PageCall, config: MethodConfig, drafted: RequestDraft) -> Listing:
    return Listing(
        _choose_pagination(call, config),
        stored_cursors.restore_secrets(call.cursor, drafted),
        drafted.query,
        request=_describe_request(drafted),
        plain=partial(next_addresses.remove_secrets, drafted),
    )


def _choose_pagination(call: PageCall, config: MethodConfig) -> Pagination | None:
    """Return the pagination of a call: the integration's for lists, a method's own for any method."""
    is_own = config.pagination is not call.config.defaults.pagination
    return config.pagination if call.method == "list" or is_own else None


def _describe_request(drafted: RequestDraft) -> JsonObject:
    """Return the request as expressions of a pagination see it: without headers, since cursors are stored."""
    options = {"method": drafted.method, "body": drafted.body, "query": drafted.query}
    return {"query": drafted.query, "url": drafted.url, "requestOptions": options}
