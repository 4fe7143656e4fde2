"""Fetch pages from upstream HTTP APIs as an integration's config describes them."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import TypeVar

from app.engine.field_names import is_secret_name
from app.engine.integrations.config import MethodConfig
from app.engine.integrations.pagination import Pagination
from app.engine.json_types import JsonObject
from app.engine.jsonata import exact_integers
from app.engine.record_errors import SourceError
from app.engine.redaction import MASK
from app.services.ports import BudgetStore, FetchedPage, PageCall, PlainAnswer
from app.settings import Settings
from app.sources import requests
from app.sources.answers import answers, computed_parts, plain_answers, responses
from app.sources.answers.answers import ReadAnswer
from app.sources.credentials.token_cache import TokenCache
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import RefusedError
from app.sources.exchange.redaction import mask_secrets
from app.sources.limiter.gate_state import GateState
from app.sources.limiter.local_budgets import LocalBudgets
from app.sources.pagination.listing import Listing
from app.sources.pagination.values import PageRefusal, PageRequest, PageResult
from app.sources.read_ahead import Following, ReadAhead
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
        self._transport = Transport(settings, budgets, around)

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Start to fetch a page; the future raises SourceError, RateLimitedError or PlaceholderError."""
        return self._submit(call, None)

    def open_list(self) -> ReadAhead | None:
        """Return a reader of the pages of one list that reads ahead; None where reading ahead is off."""
        if not self._read_ahead_bytes:
            return None
        return ReadAhead(self._submit, limit_bytes=self._read_ahead_bytes, call_soon=self._transport.call_soon)

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

    def useful_requests(self, account_id: str) -> int:
        """Return how many requests to an account are worth having under way; more would only wait."""
        return self._transport.useful_requests(account_id)

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
        return plain_answers.build_plain_answer(await self._send(call, request, _return_response), request)

    def _build_request(self, call: PageCall, config: MethodConfig) -> tuple[RequestDraft, Listing, HttpRequest]:
        """Return the request for a page, its draft, and the list that the page is of."""
        drafted = requests.draft(call, config)
        listing = _open_listing(call, config, drafted)
        with _mask_errors(drafted):
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
            endpoint=call.name,
            integration=call.integration,
            rate_limit=call.config.rate_limit,
        )

    async def _fetch_once(self, call: PageCall, *, ahead: ReadAhead | None = None) -> FetchedPage:
        config = call.config.find_method(call.resource, call.method)
        is_computed = computed_parts.has_computed_parts(config)
        drafted, listing, request = await self._run_aside(
            call, partial(self._build_request, call, config), is_long=is_computed
        )
        ask = partial(self._request_page, call, config, request)
        try:
            answer = await (ahead.take(listing.place, ask) if ahead else ask())
        except RefusedError as error:
            refusal = await _read_refusal(request, error)
            with _mask_errors(drafted):
                result = await self._run_aside(call, partial(listing.read_refusal, refusal), is_long=is_computed)
            if result is None:
                raise
            return _build_page(drafted, request, result, status=error.response.status)
        response = answer.response
        if answer.is_file:
            return _build_file_page(drafted, request, response)
        depth = ahead.depth if ahead else 1
        read = partial(listing.read_page, answer.page, decides_deletions=call.decides_deletions, depth=depth)
        result = await self._run_aside(call, read, is_long=is_computed or response.is_large)
        result = replace(result, warnings=(*result.warnings, *answer.warnings)) if answer.warnings else result
        if ahead and result.cursor is not None and result.fault is None and request.is_repeatable and not is_computed:
            following = self._find_following(call, config, drafted, listing, result.cursor)
            ahead.go_on(following, pages=result.cursor.get("pages", 0), witness=listing.build_witness(answer.page))
        if call.is_handed_on:
            records = plain_answers.mask_records(result.records, response.body, request.credentials)
            result = replace(result, records=records)
        page = _build_page(drafted, request, result, response=response)
        if call.mapping is None:
            return page
        page = replace(page, has_short_integers=_has_short_integers(response))
        if not call.mapping.reads_headers:
            return page
        shown = {name: value for name, value in response.plain_headers.items() if not is_secret_name(name)}
        return replace(page, headers=shown)

    def _request_page(self, call: PageCall, config: MethodConfig, request: HttpRequest) -> Awaitable[ReadAnswer]:
        return self._send(call, request, partial(answers.read, call, config, request))

    def _find_following(
        self, call: PageCall, config: MethodConfig, drafted: RequestDraft, listing: Listing, cursor: JsonObject
    ) -> Callable[[int], Iterator[Following]]:
        """Return a function that yields the pages which likely follow a page, the next one first."""
        call = replace(call, cursor=cursor)

        def ask(one: Listing) -> Awaitable[ReadAnswer]:
            return self._request_page(call, config, self._finish(drafted, one.build_request(), config))

        def list_following(depth: int) -> Iterator[Following]:
            return (
                Following(one.place, partial(ask, one), is_extra=one.is_check)
                for one in listing.list_ahead(cursor, depth)
            )

        return list_following


async def _return_response(response: HttpResponse) -> HttpResponse:
    return response


def _build_file_page(drafted: RequestDraft, request: HttpRequest, response: HttpResponse) -> FetchedPage:
    result = PageResult(records=[], cursor=None)
    page = _build_page(drafted, request, result, response=response)
    return replace(page, file=plain_answers.build_plain_answer(response, request))


def _has_short_integers(response: HttpResponse) -> bool:
    return not response.is_large and exact_integers.has_no_long_integers(response.body)


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


@contextmanager
def _mask_errors(drafted: RequestDraft) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise _mask_error(error, drafted) from None


def _describe_request(drafted: RequestDraft) -> JsonObject:
    """Return the request as expressions of a pagination see it: without headers, since cursors are stored."""
    options = {"method": drafted.method, "body": drafted.body, "query": drafted.query}
    return {"query": drafted.query, "url": drafted.url, "requestOptions": options}


async def _read_refusal(request: HttpRequest, error: RefusedError) -> PageRefusal:
    """Read an error as pagination sees it; a body that can not be decoded is None."""
    try:
        document = (await responses.decode(request, error.response)).value if error.response.body else None
    except SourceError:
        document = None
    status = error.response.status if error.status is None else error.status
    return PageRefusal(error=error, status=status, headers=error.response.plain_headers, document=document)


def _build_page(
    drafted: RequestDraft,
    request: HttpRequest,
    result: PageResult,
    *,
    status: int = 200,
    response: HttpResponse | None = None,
) -> FetchedPage:
    return FetchedPage(
        records=result.records,
        next_cursor=stored_cursors.hide_secrets(result.cursor, drafted),
        server_date=None if response is None else response.server_date,
        url=mask_secrets(request.address, request.secrets),
        status=status if response is None else response.status,
        answer_seconds=0.0 if response is None else response.seconds,
        end=result.end,
        expected=result.expected,
        fault=None if result.fault is None else _mask_error(result.fault, drafted),
        is_suspicion=result.is_suspicion,
        warnings=result.warnings,
    )


def _mask_error(error: SourceError, drafted: RequestDraft) -> SourceError:
    """Mask secrets in an error of pagination, which may quote a cursor such as an address with a key."""
    return SourceError(
        error.code, mask_secrets(error.message, drafted.secrets), status=error.status, excerpt=error.excerpt
    )
