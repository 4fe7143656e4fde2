"""The cursors of a simulated upstream: what each page says of the next one, and which page a cursor stands for."""

from typing import Final

from app.engine.json_types import JSON
from tests.support.listings.listing import Last, Listing


class _Mark:
    """Something that JSON can not say."""


MISSING: Final = _Mark()
"""The key is left out."""
NO_OBJECT: Final = _Mark()
"""The enclosing object is left out."""

_ENDS: Final = {
    Last.MISSING: MISSING,
    Last.NULL: None,
    Last.EMPTY: "",
    Last.FALSE: False,
    Last.NO_OBJECT: NO_OBJECT,
}
_BROKEN: Final = {"missing": MISSING, "null": None, "no_object": NO_OBJECT}


def cursor_of(listing: Listing, index: int) -> JSON:
    """Name the page at an index, which is not the first one."""
    return f"c{index}" if listing.first_cursor is None else listing.first_cursor + index - 1


def index_of(listing: Listing, cursor: str) -> int:
    """Return the index of the page that a cursor stands for."""
    return int(cursor[1:]) if listing.first_cursor is None else int(cursor) - listing.first_cursor + 1


def after(listing: Listing, index: int, cursor: str | None, *, is_last: bool) -> JSON:
    """Return what the page at an index, asked for by a cursor, says of the next one."""
    if not is_last:
        is_broken = index == listing.broken_page and listing.broken_next is not None
        return _BROKEN[str(listing.broken_next)] if is_broken else cursor_of(listing, index + 1)
    if listing.last in _ENDS:
        return _ENDS[listing.last]
    is_past = index >= len(listing.windows)
    match listing.last:
        case Last.OWN | Last.OWN_OF_TWO:
            return MISSING if cursor is None else cursor_of(listing, index)
        case Last.CIRCLE:
            return MISSING if len(listing.windows) < 3 else cursor_of(listing, 1)
        case Last.EMPTY_PAGE:
            return MISSING if is_past else cursor_of(listing, index + 1)
        case Last.EMPTY_REPEATS:
            return cursor_of(listing, index if is_past else index + 1)
        case Last.EMPTY_ECHOES:
            return cursor if is_past else cursor_of(listing, index + 1)
        case _:
            return cursor_of(listing, index + 1)
