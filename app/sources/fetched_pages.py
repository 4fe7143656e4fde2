"""Pages as services get them, of what pagination has made of an answer: secrets are masked in them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from app.engine.json_types import JsonObject
from app.engine.jsonata import exact_integers
from app.engine.record_errors import SourceError
from app.engine.records.outcomes import Reading, ReadingReason, ReadingWay
from app.services.ports import FetchedPage
from app.sources.answers import plain_answers, responses
from app.sources.exchange.exchange import HttpRequest, HttpResponse
from app.sources.exchange.faults import RefusedError
from app.sources.exchange.redaction import mask_secrets
from app.sources.pagination.values import PageRefusal, PageResult
from app.sources.request_parts import stored_cursors
from app.sources.request_parts.drafts import RequestDraft


def build_page(
    drafted: RequestDraft,
    request: HttpRequest,
    result: PageResult,
    *,
    status: int = 200,
    response: HttpResponse | None = None,
) -> FetchedPage:
    """Return the page of a list; without a response, of a refusal that its pagination expects."""
    return FetchedPage(
        records=result.records,
        next_cursor=stored_cursors.hide_secrets(result.cursor, drafted),
        server_date=None if response is None else response.server_date,
        url=mask_secrets(request.address, request.secrets),
        status=status if response is None else response.status,
        answer_seconds=0.0 if response is None else response.seconds,
        end=result.end,
        expected=result.expected,
        fault=None if result.fault is None else mask_error(result.fault, drafted),
        is_suspicion=result.is_suspicion,
        warnings=result.warnings,
    )


def build_file_page(drafted: RequestDraft, request: HttpRequest, response: HttpResponse) -> FetchedPage:
    """Return the page of an answer that is a file."""
    result = PageResult(records=[], cursor=None)
    page = build_page(drafted, request, result, response=response)
    return replace(page, file=plain_answers.build_plain_answer(response, request))


def build_parts_page(parts: list[JsonObject], *, is_requested: bool) -> FetchedPage:
    """Return the page of a list that is cut into parts, in the place of its records."""
    reading = Reading(ReadingWay.PARTS, ReadingReason.PARTITION)
    return FetchedPage(
        records=[],
        next_cursor=None,
        server_date=None,
        url="",
        status=200,
        parts=parts,
        is_requested=is_requested,
        reading=reading,
    )


@contextmanager
def mask_errors(drafted: RequestDraft) -> Iterator[None]:
    """Mask secrets in the errors that are raised within."""
    try:
        yield
    except SourceError as error:
        raise mask_error(error, drafted) from None


def mask_error(error: SourceError, drafted: RequestDraft) -> SourceError:
    """Mask secrets in an error of pagination, which may quote a cursor such as an address with a key."""
    return SourceError(
        error.code, mask_secrets(error.message, drafted.secrets), status=error.status, excerpt=error.excerpt
    )


async def read_refusal(request: HttpRequest, error: RefusedError) -> PageRefusal:
    """Read an error as pagination sees it; a body that can not be decoded is None."""
    try:
        document = (await responses.decode(request, error.response)).value if error.response.body else None
    except SourceError:
        document = None
    status = error.response.status if error.status is None else error.status
    return PageRefusal(error=error, status=status, headers=error.response.plain_headers, document=document)


def has_short_integers(response: HttpResponse) -> bool:
    """Whether it is known that a double can hold each integer of an answer."""
    return not response.is_large and exact_integers.has_no_long_integers(response.body)
