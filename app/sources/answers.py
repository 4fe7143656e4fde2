"""Read a whole answer for a call: the body decoded, its records found, and what was odd about it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from app.engine.errors import SourceError
from app.engine.integration_config import DynamicPagination, MethodConfig, RangePagination
from app.engine.json_types import JSON
from app.engine.list_ends import PageWarning
from app.engine.request_formats import AnswerFormat
from app.services.ports import PageCall
from app.sources import record_lists, responses
from app.sources.exchange import HttpRequest, HttpResponse
from app.sources.faults import excerpt
from app.sources.page_values import PageAnswer
from app.sources.record_lists import RecordPlace
from app.sources.redaction import masked


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadAnswer:
    """A success that could be read."""

    response: HttpResponse = field(repr=False)
    page: PageAnswer = field(repr=False)
    warnings: Sequence[PageWarning] = ()


def read(call: PageCall, config: MethodConfig, request: HttpRequest, response: HttpResponse) -> ReadAnswer:
    """Read a success; raise SourceError, which is retryable where the same request may well be answered whole."""
    is_paged = config.pagination is not None and config.pagination is not call.config.defaults.pagination
    answer = config.formats.answer
    if not responses.has_content(response, method=call.method, answer=answer, is_paged=is_paged):
        return ReadAnswer(response=response, page=PageAnswer(records=[], document=None))
    document = responses.decode(request, response, answer)
    place = RecordPlace(
        method=call.method,
        is_paged=is_paged,
        path=config.response_path,
        form=config.formats.response,
        id_path=config.id_path,
        is_first_page=call.cursor is None,
        is_xml=responses.format_of(response, answer) is AnswerFormat.XML,
    )
    is_dynamic = isinstance(config.pagination, DynamicPagination | RangePagination)
    page = PageAnswer(
        records=_records(document.value, place, request, response),
        document=document.value,
        links=response.header_values("Link"),
        status=response.status,
        headers=response.plain_headers if is_dynamic else {},
    )
    return ReadAnswer(response=response, page=page, warnings=_warnings(document.replaced))


def _records(document: JSON, place: RecordPlace, request: HttpRequest, response: HttpResponse) -> list[JSON]:
    try:
        return record_lists.records(document, place)
    except SourceError as error:
        shown = excerpt(response.body, request.secrets)
        message = masked(error.message, request.secrets)
        raise SourceError(error.code, message, status=response.status, excerpt=shown) from None


def _warnings(replaced: int) -> Sequence[PageWarning]:
    if not replaced:
        return ()
    message = "an answer holds bytes that are no text in its charset: each such character became U+FFFD"
    return (PageWarning("invalid_utf8", message, replaced),)
