"""Lists of accounts by the status that is shown: some that are stored as active are shown as ``needs_reauth``.

Those are accounts whose secrets do not open any more, or are not sent where their integration leads by now. Which ones
they are is known once they are read, so that pages may be shorter than asked for, but never empty before the end.
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
    """Read a page of accounts, as they are shown, that have the status that is asked for."""
    wanted = _wanted(filters)
    if wanted is None:
        return page_of(filters)
    asked = _widened(filters, wanted)
    while True:
        page = page_of(asked)
        found = [account for account in page.result if account.status in wanted]
        if found or page.next_cursor is None:
            return replace(page, result=found)
        asked = replace(asked, cursor=page.next_cursor)


def _wanted(filters: ListFilters) -> frozenset[object] | None:
    """Return the statuses that are asked for; None where what is stored decides."""
    told = [frozenset(values) for column, values in filters.among if column == _COLUMN]
    told += [frozenset({filters.equal[_COLUMN]})] if _COLUMN in filters.equal else []
    wanted = frozenset.intersection(*told) if told else _ALIKE
    return None if len(_ALIKE & wanted) != 1 else wanted


def _widened(filters: ListFilters, wanted: frozenset[object]) -> ListFilters:
    """Ask for what is stored as active too, where it may be shown otherwise."""
    stored = wanted | ({AccountStatus.ACTIVE.value} if AccountStatus.NEEDS_REAUTH in wanted else frozenset())
    others = [(column, values) for column, values in filters.among if column != _COLUMN]
    equal = {column: value for column, value in filters.equal.items() if column != _COLUMN}
    return replace(filters, equal=equal, among=[*others, (_COLUMN, sorted(map(str, stored)))])
