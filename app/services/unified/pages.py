"""Map the answers to a unified API's calls into the model's terms, once they have arrived."""

from dataclasses import replace

from app.engine.record_errors import RecordError, SourceError
from app.services.ports import FetchedPage, PageCall


def map_page(call: PageCall | None, page: FetchedPage) -> FetchedPage:
    """Return a page with mapped records; those that can not be mapped are its errors."""
    if call is None or call.mapping is None:
        return page
    key = call.config.find_method(call.resource, call.method).key
    made = call.mapping.map_page(page.records, key, page.headers, has_short_integers=page.has_short_integers)
    return replace(page, records=made.records, errors=made.errors, quarantined=made.quarantined)


def map_error(call: PageCall | None, error: RecordError) -> RecordError:
    """Return an upstream's error as the mapping expresses it, where it does."""
    if call is None or call.mapping is None or not isinstance(error, SourceError):
        return error
    return call.mapping.map_error(error)
