"""Give a unified API's answers in the model's words, once they are here and where they are taken in."""

from dataclasses import replace

from app.engine.record_errors import RecordError, SourceError
from app.services.ports import FetchedPage, PageCall


def mapped(call: PageCall | None, page: FetchedPage) -> FetchedPage:
    """Map a page's records; those that can not be mapped are its errors."""
    if call is None or call.mapping is None:
        return page
    key = call.config.find_method(call.resource, call.method).key
    made = call.mapping.map_page(page.records, key, page.headers, has_short_integers=page.has_short_integers)
    return replace(page, records=made.records, errors=made.errors, quarantined=made.quarantined)


def mapped_error(call: PageCall | None, error: RecordError) -> RecordError:
    """Put an upstream's error into the mapping's words, when it has some."""
    if call is None or call.mapping is None or not isinstance(error, SourceError):
        return error
    return call.mapping.map_error(error)
