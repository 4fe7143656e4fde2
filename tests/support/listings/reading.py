"""Read a simulated list as the application does, page by page, and as the reference reader does."""

import json
from dataclasses import dataclass, replace
from typing import Final

from app.engine.ids import new_id
from app.engine.integrations.config import IntegrationConfig, parse_config
from app.engine.json_types import JsonObject
from app.engine.record_errors import RateLimitedError, SourceError
from app.net.addresses import LOOPBACK
from app.services.ports import FetchedPage, PageCall
from app.settings import Settings
from app.sources.http_source import HttpSource
from tests.support.listings import answers, configs, told
from tests.support.listings.listing import Kind, Listing
from tests.support.listings.reference import Reading, ReferenceReader
from tests.support.listings.site import Asked, Site
from tests.support.listings.transports import BASE_URL
from tests.support.patience import LONGEST_SECONDS

PATH: Final = "/things"
_MOST_PAGES: Final = 400

SETTINGS: Final = Settings(
    database_url="-",
    broker_url="-",
    encryption_key="-",
    request_attempts=1,
    retry_base_seconds=0.001,
    allowed_networks=LOOPBACK,
)
PATIENT: Final = replace(SETTINGS, request_attempts=4)
"""Tries again what may pass."""


@dataclass(frozen=True, slots=True)
class Call:
    """A list that is read through an HttpSource."""

    source: HttpSource
    base_url: str = BASE_URL

    def read(self, listing: Listing, *, tracks: bool = False, most: int = 0) -> Reading:
        """Ask for one page after the other until the list is over; with ``most``, so many at once."""
        found, cursor, call = Reading(), None, self.build(listing, tracks=tracks)
        ahead = self.source.open_list() if most else None
        for _ in range(_MOST_PAGES):
            if ahead is not None:
                ahead.most = most
            try:
                asked = replace(call, cursor=json.loads(json.dumps(cursor)))
                page = (ahead or self.source).submit(asked).result(timeout=LONGEST_SECONDS)
            except RateLimitedError:
                # The run waits: another daemon goes on when the limit is over.
                call = replace(call, account_id=new_id())
                continue
            except SourceError as error:
                found.error = error.code
                return found
            _take(found, page)
            cursor = page.next_cursor
            if found.error or cursor is None:
                return found
        raise AssertionError("the list has no end")

    def build(self, listing: Listing, *, tracks: bool = False) -> PageCall:
        """Make the call for the first page."""
        return PageCall(
            account_id=new_id(),
            config=_config(self.base_url, configs.method(listing, PATH)),
            context={},
            resource="things",
            method="list",
            decides_deletions=tracks,
        )


def reference(listing: Listing, *, tracks: bool = False, has_paged: bool = False) -> Reading:
    """Say what should come of a list; faults that pass count for nothing, but for those that expire a cursor."""
    lasting = [fault for fault in listing.faults if fault.times is None or fault.what in answers.EXPIRED]
    site = Site({(PATH, None): replace(listing, faults=lasting)})
    first = Asked(path=PATH, body=_body(listing))
    config = configs.pagination(listing)
    return ReferenceReader(config, site.answer, first, tracks=tracks, has_paged=has_paged).read()


def tells_the_truth(listing: Listing, *, tracks: bool = False) -> bool:
    """Whether a list that is read without faults to a proven end is read to its end: nobody can know of another lie."""
    undisturbed = reference(replace(listing, faults=()), tracks=tracks, has_paged=True)
    if undisturbed.is_proven and set(undisturbed.records) != set(listing.ids):
        return False
    return not _is_total_met_early(listing)


def _is_total_met_early(listing: Listing) -> bool:
    """Whether a total that counts is reached before the last record."""
    if listing.told is None or (listing.declared or {}).get("total") == "estimate":
        return False
    for index, (_, end) in enumerate(listing.windows):
        got = len([id for id in listing.rows[:end] if id is not None])
        total = answers.number(told.total(listing, index))
        if total is not None and total <= got < len(listing.ids):
            return True
    return False


def _take(found: Reading, page: FetchedPage) -> None:
    found.records += [record["id"] for record in page.records]
    found.warnings |= {warning.code for warning in page.warnings}
    if page.fault is not None:
        found.error = page.fault.code
    elif page.end is not None:
        found.reason, found.is_proven = page.end.reason, page.end.is_proven


def _body(listing: Listing) -> JsonObject | None:
    return {"of": "things"} if listing.kind is Kind.CURSOR_IN_BODY else None


def _config(base_url: str, method: JsonObject) -> IntegrationConfig:
    config, failures = parse_config({"base_url": base_url, "resources": {"things": {"list": method}}})
    assert config is not None, failures
    return config
