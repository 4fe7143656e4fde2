"""A whole sync from a real third-party server, compared object by object."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.localstripe import API_KEY, LocalStripe, running_localstripe
from tests.support.workspace import Sync, Workspace, listed

CUSTOMERS = 300

CONFIG = {
    "authorization": {"format": "basic", "config": {"username": "{{context.api_key}}", "password": ""}},
    "response_path": "data",
    "pagination": {
        "format": "cursor",
        "config": {
            "cursor_path": "data.-1.id",
            "cursor_param": "starting_after",
            "has_more_path": "has_more",
            "limit_param": "limit",
            "limit": 20,
        },
    },
}

RESOURCES = [
    listed("customers"),
    listed("invoiceitems", depends_on="customers", query={"customer": "{{resources.customers.id}}"}),
]


@pytest.fixture(scope="module")
def stripe() -> Iterator[LocalStripe]:
    """300 customers, each with none, one or two invoice items, and one with several pages of them."""
    with running_localstripe() as server:
        customers = server.create("customers", [_customer(number) for number in range(CUSTOMERS)])
        owners = [customer for position, customer in enumerate(customers) for _ in range(_items_of(position))]
        server.create("invoiceitems", [_invoice_item(owner["id"], number) for number, owner in enumerate(owners)])
        yield server


@pytest.fixture
def sync(workspace: Workspace, stripe: LocalStripe) -> Sync:
    return workspace.sync(stripe.url, RESOURCES, config=CONFIG, context={"api_key": API_KEY})


def test_every_customer_and_child_arrives_exactly_and_a_second_run_finds_no_change(
    sync: Sync, stripe: LocalStripe
) -> None:
    first = sync.run()

    customers, items = stripe.all("customers"), stripe.all("invoiceitems")
    assert (first["status"], sync.errors(first["id"])) == ("completed", [])
    assert sync.records("customers") == customers
    assert sync.records("invoiceitems") == items
    assert _books(first) == {
        "customers": {"fetched": CUSTOMERS, "created": CUSTOMERS, "unchanged": 0},
        "invoiceitems": {"fetched": len(items), "created": len(items), "unchanged": 0},
    }

    second = sync.run()

    assert second["status"] == "completed"
    assert _books(second) == {
        "customers": {"fetched": CUSTOMERS, "created": 0, "unchanged": CUSTOMERS},
        "invoiceitems": {"fetched": len(items), "created": 0, "unchanged": len(items)},
    }


def _customer(number: int) -> dict[str, Any]:
    return {"name": f"Käufer № {number}", "email": f"customer-{number}@example.com", "metadata": {"n": str(number)}}


def _invoice_item(customer_id: str, number: int) -> dict[str, Any]:
    return {"customer": customer_id, "amount": 100 + number, "currency": "eur", "description": f"Item {number}"}


def _items_of(position: int) -> int:
    return 45 if position == 7 else position % 3


def _books(run: Any) -> dict[str, dict[str, int]]:
    names = ("fetched", "created", "unchanged")
    return {
        resource: {name: methods["list"][name] for name in names} for resource, methods in run["resource_stats"].items()
    }
