"""A whole sync from a real third-party server, compared object by object."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from app.cli.installing import install
from app.client import ApiError
from app.connectors import load
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


@pytest.fixture
def connected(workspace: Workspace, stripe: LocalStripe) -> str:
    """An account of the shipped connector; its id."""
    assert {step.done for step in install(workspace.api, load("stripe"))} == {"created"}
    context = {"api_key": API_KEY, "base_url": stripe.url.removesuffix("/v1")}
    # Stripe's lists take ranges of time, which localstripe refuses: they are read as one here.
    whole = {"list": {"partition": None}}
    override = {"resources": {"customers": whole, "invoice_items": whole}}
    account = {
        "integration_name": "stripe",
        "tenant_id": "tenant-1",
        "context": context,
        "integration_override": override,
    }
    return str(workspace.api.post("/integrated-account", account)["id"])


def test_shipped_connector_brings_objects_as_they_are_and_as_the_accounting_model_has_them(
    workspace: Workspace, stripe: LocalStripe, connected: str
) -> None:
    items = "invoice_items"
    resources = [
        listed("customers"),
        listed(items, depends_on="customers", query={"customer": "{{resources.customers.id}}"}),
        listed("accounting/contacts"),
    ]
    job = workspace.api.post("/sync-job", {"integration_name": "stripe", "resources": resources})
    sync = Sync(workspace.api, connected, job["id"])

    run = sync.run()

    customers = stripe.all("customers")
    assert (run["status"], sync.errors(run["id"])) == ("completed", [])
    assert sync.records("customers") == customers
    assert sync.records(items) == stripe.all("invoiceitems")
    assert sync.records("accounting/contacts") == {id: _contact(customer) for id, customer in customers.items()}


def test_shipped_connector_creates_and_updates_by_forms(
    workspace: Workspace, stripe: LocalStripe, connected: str
) -> None:
    path, account = "/unified/accounting/contacts", f"integrated_account_id={connected}"
    wanted = {"name": "Zoë & Co", "emails": [{"email": "zoe@example.com"}], "addresses": [{"city": "Köln"}]}

    made = workspace.api.post(f"{path}?{account}", wanted)
    changed = workspace.api.patch(f"{path}/{made['id']}?{account}", {"description": "50 % = half"})
    shown = workspace.api.get(f"{path}/{made['id']}?{account}")
    with pytest.raises(ApiError, match="answered 404"):
        workspace.api.get(f"{path}/cus_nobody?{account}")

    kept = workspace.api.get(f"/proxy/customers/{made['id']}?{account}")
    assert {name: made[name] for name in wanted} == wanted
    assert changed == shown == {**made, "description": "50 % = half"}
    assert (kept["name"], kept["address"], kept["description"]) == ("Zoë & Co", {"city": "Köln"}, "50 % = half")


def _contact(customer: Any) -> dict[str, Any]:
    return {
        "id": customer["id"],
        "name": customer["name"],
        "contact_type": "customer",
        "status": "active",
        "emails": [{"email": customer["email"]}],
        "currency": "EUR",
        "created_at": datetime.fromtimestamp(customer["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
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
