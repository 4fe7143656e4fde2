"""Fetch pages from upstream HTTP APIs, as an integration's config describes them."""

import functools
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from http import HTTPStatus
from typing import Final, TypeVar

from app.engine.errors import FerrymanError
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
from app.sources.answers import answers, computed_parts, handed_on, responses
from app.sources.answers.answers import ReadAnswer
from app.sources.credentials.token_cache import TokenCache
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import RefusedError
from app.sources.exchange.redaction import masked
from app.sources.limiter.local_budgets import LocalBudgets
from app.sources.pagination.listing import Listing
from app.sources.pagination.values import PageAsk, PageRefusal, PageTurn
from app.sources.read_ahead import Following, ReadAhead
from app.sources.request_parts import stored_cursors
from app.sources.requests import RequestDraft
from app.sources.sending import Attempt
from app.sources.transport import Transport

T = TypeVar("T")

_REFUSED: Final = "the upstream answered 401 Unauthorized"


class HttpSource:
    """The read side over HTTP; one per process, safe to use from many threads."""

    def __init__(
        self,
        settings: Settings,
        budgets: Callable[[], BudgetStore] = LocalBudgets,
        credentials: TokenCache | None = None,
        around: Callable[[Attempt], Attempt] | None = None,
    ) -> None:
        """Without ``credentials`` no token is renewed; ``around`` may record exchanges, or play them back."""
        self._credentials = credentials
        self._timeout_seconds = settings.request_timeout_seconds
        self._read_ahead_bytes = settings.read_ahead_bytes
        self._transport = Transport(settings, budgets, around)

    def submit(self, call: PageCall) -> "Future[FetchedPage]":
        """Begin to fetch a page; the future raises SourceError, RateLimitedError or PlaceholderError."""
        return self._submit(call, None)

    def open_list(self) -> ReadAhead | None:
        """Return what reads the pages of one list, some of them before their turn; None: none is."""
        if not self._read_ahead_bytes:
            return None
        return ReadAhead(self._submit, limit_bytes=self._read_ahead_bytes, call_soon=self._transport.call_soon)

    def _submit(self, call: PageCall, ahead: ReadAhead | None) -> "Future[FetchedPage]":
        return self._transport.run(self._signed_in(call, partial(self._fetch_once, ahead=ahead)))

    def pass_on(self, call: PageCall) -> "Future[PlainAnswer]":
        """Begin to make a call whose answer is wanted as it is; the future raises as ``submit``'s does."""
        return self._transport.run(self._signed_in(call, self._pass_on_once))

    def preview(self, call: PageCall) -> JsonObject:
        """Show the request of a call with its secrets masked, and send nothing; raise as ``submit``'s future does."""
        config = call.config.find_method(call.resource, call.method)
        drafted = requests.draft(call, config)
        with _masking(drafted):
            ask = _listing(call, config, drafted).ask()
        request = requests.finish(drafted, ask, timeout_seconds=self._timeout_seconds)
        headers = {
            name: MASK if is_secret_name(name) else masked(value, request.secrets)
            for name, value in request.headers.items()
        }
        body = None if request.body is None else masked(request.body.decode(errors="replace"), request.secrets)
        url = masked(request.url, request.secrets)
        return {"method": request.method.upper(), "url": url, "headers": headers, "body": body}

    def useful_requests(self, account_id: str) -> int:
        """Return how many requests to an account are worth having under way; more would only wait."""
        return self._transport.useful_requests(account_id)

    def close(self) -> None:
        """Cancel what is under way and close every connection."""
        self._transport.close()
        if self._credentials is not None:
            self._credentials.close()

    async def _signed_in(self, call: PageCall, once: Callable[[PageCall], Awaitable[T]]) -> T:
        """Ask with a token that is fresh; when it is refused, once more with another one."""
        if self._credentials is None or call.config.find_method(call.resource, call.method).authorization is None:
            return await self._allowed(call, once)
        call = await self._credentials.fresh(call)
        try:
            return await self._accepted(call, once)
        except SourceError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
            refusal = error
        renewed = await self._credentials.after_refusal(call)
        if renewed is not None:
            try:
                return await self._accepted(renewed, once)
            except SourceError as error:
                if error.status != HTTPStatus.UNAUTHORIZED:
                    raise
                refusal = error
        raise await self._credentials.refuse(renewed or call, _REFUSED, excerpt=refusal.excerpt) from refusal

    async def _accepted(self, call: PageCall, once: Callable[[PageCall], Awaitable[T]]) -> T:
        """Ask, and note when the account's credentials are taken that were refused before."""
        answer = await self._allowed(call, once)
        if self._credentials is not None:
            # What can not be noted is no reason to fail.
            with suppress(FerrymanError):
                await self._credentials.accept(call)
        return answer

    async def _allowed(self, call: PageCall, once: Callable[[PageCall], Awaitable[T]]) -> T:
        """Ask, and note when the account may not."""
        try:
            return await once(call)
        except SourceError as error:
            if error.status == HTTPStatus.FORBIDDEN and self._credentials is not None:
                # What can not be noted is no reason to fail otherwise.
                with suppress(FerrymanError):
                    await self._credentials.forbid(call)
            raise

    async def _pass_on_once(self, call: PageCall) -> PlainAnswer:
        config = call.config.find_method(call.resource, call.method)
        timeout_seconds = config.timeout_seconds or self._timeout_seconds
        request = await self._aside(
            call,
            lambda: requests.finish(requests.draft(call, config), PageAsk(), timeout_seconds=timeout_seconds),
            is_long=computed_parts.are_in(config),
        )
        return handed_on.plain_answer(await self._send(call, request, _itself), request)

    def _asked(self, call: PageCall, config: MethodConfig) -> tuple[RequestDraft, Listing, HttpRequest]:
        """Make the request for a page, and the list that it is one of."""
        drafted = requests.draft(call, config)
        listing = _listing(call, config, drafted)
        with _masking(drafted):
            ask = listing.ask()
        timeout_seconds = config.timeout_seconds or self._timeout_seconds
        return drafted, listing, requests.finish(drafted, ask, timeout_seconds=timeout_seconds)

    async def _aside(self, call: PageCall, function: Callable[[], T], *, is_long: bool) -> T:
        return await self._transport.aside(function, account_id=call.account_id) if is_long else function()

    def _send(self, call: PageCall, request: HttpRequest, read: Callable[[HttpResponse], Awaitable[T]]) -> Awaitable[T]:
        return self._transport.send(
            request,
            read,
            account_id=call.account_id,
            endpoint=call.name,
            rate_limit=call.config.rate_limit,
        )

    async def _fetch_once(self, call: PageCall, *, ahead: ReadAhead | None = None) -> FetchedPage:
        config = call.config.find_method(call.resource, call.method)
        is_computed = computed_parts.are_in(config)
        drafted, listing, request = await self._aside(call, partial(self._asked, call, config), is_long=is_computed)
        ask = partial(self._answer, call, config, request)
        try:
            answer = await (ahead.take(listing.place, ask) if ahead else ask())
        except RefusedError as error:
            refusal = await _refusal(request, error)
            with _masking(drafted):
                turned = await self._aside(call, partial(listing.refused, refusal), is_long=is_computed)
            if turned is None:
                raise
            return _page(drafted, request, turned, status=error.response.status)
        response = answer.response
        if answer.is_file:
            return _page_of_file(drafted, request, response)
        depth = ahead.depth if ahead else 1
        turn = partial(listing.turn, answer.page, decides_deletions=call.decides_deletions, depth=depth)
        turned = await self._aside(call, turn, is_long=is_computed or response.is_large)
        turned = replace(turned, warnings=(*turned.warnings, *answer.warnings)) if answer.warnings else turned
        if ahead and turned.cursor is not None and turned.fault is None and request.is_repeatable and not is_computed:
            following = self._following(call, config, drafted, listing, turned.cursor)
            ahead.go_on(following, pages=turned.cursor.get("pages", 0), witness=listing.witness(answer.page))
        if call.is_handed_on:
            shown_records = handed_on.records(turned.records, response.body, request.credentials)
            turned = replace(turned, records=shown_records)
        page = _page(drafted, request, turned, response=response)
        if call.mapping is None:
            return page
        page = replace(page, has_short_integers=_has_short_integers(response))
        if not call.mapping.reads_headers:
            return page
        shown = {name: value for name, value in response.plain_headers.items() if not is_secret_name(name)}
        return replace(page, headers=shown)

    def _answer(self, call: PageCall, config: MethodConfig, request: HttpRequest) -> Awaitable[ReadAnswer]:
        return self._send(call, request, partial(answers.read, call, config, request))

    def _following(
        self, call: PageCall, config: MethodConfig, drafted: RequestDraft, listing: Listing, cursor: JsonObject
    ) -> Callable[[int], Iterator[Following]]:
        """Return what gives the pages that are likely to come behind a page, the next one first."""
        call = replace(call, cursor=cursor)
        timeout_seconds = config.timeout_seconds or self._timeout_seconds

        def ask(one: Listing) -> Awaitable[ReadAnswer]:
            return self._answer(call, config, requests.finish(drafted, one.ask(), timeout_seconds=timeout_seconds))

        def following(depth: int) -> Iterator[Following]:
            return (
                Following(one.place, partial(ask, one), is_extra=one.is_check) for one in listing.ahead(cursor, depth)
            )

        return following


async def _itself(response: HttpResponse) -> HttpResponse:
    return response


def _page_of_file(drafted: RequestDraft, request: HttpRequest, response: HttpResponse) -> FetchedPage:
    turned = PageTurn(records=[], cursor=None)
    page = _page(drafted, request, turned, response=response)
    return replace(page, file=handed_on.plain_answer(response, request))


def _has_short_integers(response: HttpResponse) -> bool:
    return not response.is_large and exact_integers.has_no_long_integers(response.body)


def _listing(call: PageCall, config: MethodConfig, drafted: RequestDraft) -> Listing:
    return Listing(
        _paging(call, config),
        stored_cursors.shown(call.cursor, drafted),
        drafted.query,
        request=_shown(drafted),
        plain=functools.partial(requests.without_secrets, drafted),
    )


def _paging(call: PageCall, config: MethodConfig) -> Pagination | None:
    """Return the pagination of a call: the integration's is for lists, a method's own for whatever that method does."""
    is_own = config.pagination is not call.config.defaults.pagination
    return config.pagination if call.method == "list" or is_own else None


@contextmanager
def _masking(drafted: RequestDraft) -> Iterator[None]:
    try:
        yield
    except SourceError as error:
        raise _masked_error(error, drafted) from None


def _shown(drafted: RequestDraft) -> JsonObject:
    """Return what a pagination's expressions see of a request: no headers, since what they make is kept as a cursor."""
    options = {"method": drafted.method, "body": drafted.body, "query": drafted.query}
    return {"query": drafted.query, "url": drafted.url, "requestOptions": options}


async def _refusal(request: HttpRequest, error: RefusedError) -> PageRefusal:
    """Return what pagination reads of an answer that is an error; a body that is not JSON is nothing."""
    try:
        document = (await responses.decode(request, error.response)).value if error.response.body else None
    except SourceError:
        document = None
    status = error.response.status if error.status is None else error.status
    return PageRefusal(error=error, status=status, headers=error.response.plain_headers, document=document)


def _page(
    drafted: RequestDraft,
    request: HttpRequest,
    turned: PageTurn,
    *,
    status: int = 200,
    response: HttpResponse | None = None,
) -> FetchedPage:
    return FetchedPage(
        records=turned.records,
        next_cursor=stored_cursors.hidden(turned.cursor, drafted),
        server_date=None if response is None else response.server_date,
        url=masked(request.address, request.secrets),
        status=status if response is None else response.status,
        answer_seconds=0.0 if response is None else response.seconds,
        end=turned.end,
        expected=turned.expected,
        fault=None if turned.fault is None else _masked_error(turned.fault, drafted),
        is_suspicion=turned.is_suspicion,
        warnings=turned.warnings,
    )


def _masked_error(error: SourceError, drafted: RequestDraft) -> SourceError:
    """Keep secrets out of pagination's errors, which may quote a cursor: an address with a key in it, say."""
    return SourceError(error.code, masked(error.message, drafted.secrets), status=error.status, excerpt=error.excerpt)
