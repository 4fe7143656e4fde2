"""Accounts are listed by the status that they are shown with, page by page and none left out."""

import pytest

from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.lists import ListFilters, Page
from app.services.accounts import shown_statuses
from tests.unit.services.service_tables import account

STORED = ["active", "needy", "active", "inactive", "needs_reauth", "needy"]
"""``needy`` is stored as active, and shown as needs_reauth."""


def page_of(filters: ListFilters) -> Page[IntegratedAccount]:
    """Read pages as the store does, and show them as the service does."""
    columns = [(column, [value]) for column, value in filters.equal.items()] + list(filters.among)
    wanted = [values for column, values in columns if column == "status"]
    stored = [(str(at), status) for at, status in enumerate(STORED)]
    found = [
        account(id=id, status="needs_reauth" if status == "needy" else status)
        for id, status in stored
        if all(("active" if status == "needy" else status) in values for values in wanted)
    ]
    start = int(filters.cursor or 0)
    end = start + filters.limit
    return Page(result=found[start:end], next_cursor=str(end) if end < len(found) else None, limit=filters.limit)


@pytest.mark.parametrize("limit", [1, 2, 100])
@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        (ListFilters(), ["0", "1", "2", "3", "4", "5"]),
        (ListFilters(equal={"status": "active"}), ["0", "2"]),
        (ListFilters(equal={"status": "needs_reauth"}), ["1", "4", "5"]),
        (ListFilters(among=[("status", ["needs_reauth", "inactive"])]), ["1", "3", "4", "5"]),
        (ListFilters(among=[("status", ["active", "needs_reauth"])]), ["0", "1", "2", "4", "5"]),
        (ListFilters(equal={"status": "inactive"}), ["3"]),
        (ListFilters(equal={"status": "active"}, among=[("status", ["inactive"])]), []),
        (ListFilters(equal={"status": "active"}, among=[("tenant_id", ["t"])]), ["0", "2"]),
    ],
)
def test_status_is_the_one_that_is_shown(filters: ListFilters, ids: list[str], limit: int) -> None:
    read: list[str] = []
    asked = ListFilters(equal=filters.equal, among=filters.among, limit=limit)
    while True:
        page = shown_statuses.read(page_of, asked)
        read += [one.id for one in page.result]
        if page.next_cursor is None:
            break
        assert page.result
        asked = ListFilters(equal=filters.equal, among=filters.among, limit=limit, cursor=page.next_cursor)

    assert read == ids
