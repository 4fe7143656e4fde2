"""Lists of accounts by the status that is shown: some that are stored as active are shown as ``needs_reauth``.

Those are accounts whose secrets no longer decrypt, or are not sent to the hosts of their integration's present config.
That is known only after they are read, so pages may be shorter than the limit; only the last one may be empty.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Final

from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.lists import ListFilters, Page
from app.engine.status import AccountStatus

_COLUMN: Final = "status"
_ALIKE: Final = frozenset({AccountStatus.ACTIVE.value, AccountStatus.NEEDS_REAUTH.value})

ReadPage = Callable[[ListFilters], Page[IntegratedAccount]]


def read(page_of: ReadPage, filters: ListFilters) -> Page[IntegratedAccount]:
    """Return a page of accounts, as they are shown, that have a requested status."""
    wanted = _requested_statuses(filters)
    if wanted is None:
        return page_of(filters)
    asked = _widen(filters, wanted)
    while True:
        page = page_of(asked)
        found = [account for account in page.result if account.status in wanted]
        if found or page.next_cursor is None:
            return replace(page, result=found)
        asked = replace(asked, cursor=page.next_cursor)


def _requested_statuses(filters: ListFilters) -> frozenset[object] | None:
    """Return the requested statuses; None where the stored status decides."""
    given = [frozenset(values) for column, values in filters.among if column == _COLUMN]
    given += [frozenset({filters.equal[_COLUMN]})] if _COLUMN in filters.equal else []
    wanted = frozenset.intersection(*given) if given else _ALIKE
    return None if len(_ALIKE & wanted) != 1 else wanted


def _widen(filters: ListFilters, wanted: frozenset[object]) -> ListFilters:
    """Return filters that include accounts stored as active, where they may be shown otherwise."""
    stored = wanted | ({AccountStatus.ACTIVE.value} if AccountStatus.NEEDS_REAUTH in wanted else frozenset())
    others = [(column, values) for column, values in filters.among if column != _COLUMN]
    equal = {column: value for column, value in filters.equal.items() if column != _COLUMN}
    return replace(filters, equal=equal, among=[*others, (_COLUMN, sorted(map(str, stored)))])
