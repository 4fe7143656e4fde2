"""Accounts: what each is good for, what is held of it, and everything that happened to it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import flask
from marshmallow import fields, validate

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.fields import Listing as ListQuery
from app.api.schemas.fields import Time, make_list_query
from app.engine.errors import Failure, InvalidInputError, NotFoundError
from app.engine.json_types import JsonObject
from app.engine.objects.accounts import IntegratedAccount
from app.engine.objects.environments import Role
from app.engine.objects.lists import Page
from app.engine.objects.records import StoredRecord
from app.engine.status import AccountStatus
from app.services.accounts.budgets import AccountBudget
from app.services.accounts.ports import KIND
from app.services.dashboard.facts import HeldResource, Timeline
from app.services.reading.ports import RecordFilters
from app.ui.listing import CURSOR, PAGE, Listing, read_listing, read_query
from app.ui.screen import Done, Screens

accounts = Screens("accounts", title="Accounts", key="a", home="list_accounts")

_STATUSES: Final = tuple(AccountStatus)
_NEWEST: Final = 20
_RecordQuery: Final = ListQuery.from_dict(
    {"resource": fields.String(), "record": fields.String(), "before": Time()}, name="RecordsOfDashboard"
)
_Query: Final = make_list_query(
    "AccountsOfDashboard",
    {
        "status": fields.String(validate=validate.OneOf(_STATUSES)),
        "tenant_id": fields.String(),
        "integration_name": fields.String(),
    },
)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountsPage:
    """A page of accounts."""

    found: Page[IntegratedAccount]
    listing: Listing
    statuses: Sequence[AccountStatus] = _STATUSES


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountPage:
    """An account."""

    account: IntegratedAccount
    missing_fields: Sequence[str]
    """What its integration asks for and its context lacks."""
    shown_context: JsonObject
    budget: AccountBudget
    resources: Sequence[HeldResource]
    timeline: Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPart:
    """An account's limits by now."""

    account_id: str
    budget: AccountBudget


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordsPage:
    """A page of an account's records."""

    account: IntegratedAccount
    found: Page[StoredRecord]
    resource: str
    record_id: str
    cursor: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPage:
    """A record."""

    account: IntegratedAccount
    record: StoredRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class TimelinePage:
    """What happened to an account."""

    account: IntegratedAccount
    timeline: Timeline
    before: datetime | None


@accounts.page("/accounts", "accounts/list.html")
def list_accounts() -> AccountsPage:
    """List accounts, the newest first."""
    listing = read_listing(_Query)
    return AccountsPage(found=services().accounts.list(environment(), listing.filters), listing=listing)


@accounts.page("/accounts/<id>", "accounts/account.html")
def show_account(id: str) -> AccountPage:
    """Show an account."""
    account = _find(id)
    dashboard = services().dashboard
    return AccountPage(
        account=account,
        missing_fields=services().credentials.shown_contexts.list_missing(account),
        shown_context=services().credentials.shown_contexts.mask(account),
        budget=services().budgets.show(environment(), account.id),
        resources=dashboard.list_held_resources(environment(), account.id),
        timeline=dashboard.read_timeline(environment(), account.id, before=None, limit=_NEWEST),
    )


@accounts.fragment("/accounts/<id>/budget", "accounts/budget.html")
def show_budget(id: str) -> BudgetPart:
    """Show what is known of an account's limits by now."""
    account = _find(id)
    return BudgetPart(account_id=account.id, budget=services().budgets.show(environment(), account.id))


@accounts.page("/accounts/<id>/timeline", "accounts/timeline.html")
def show_timeline(id: str) -> TimelinePage:
    """Show what happened to an account, the newest first."""
    account, before = _find(id), read_query(_RecordQuery).get("before")
    timeline = services().dashboard.read_timeline(environment(), account.id, before=before, limit=PAGE)
    return TimelinePage(account=account, timeline=timeline, before=before)


@accounts.page("/accounts/<id>/records", "accounts/records.html")
def list_records(id: str) -> RecordsPage:
    """List an account's records, by resource and id."""
    account, asked = _find(id), read_query(_RecordQuery)
    filters = RecordFilters(
        integrated_account_id=account.id,
        resource=asked.get("resource"),
        id=asked.get("record"),
        with_deleted=True,
        limit=PAGE,
        cursor=asked.get(CURSOR),
    )
    found = services().reading.records.list(environment(), filters)
    return RecordsPage(
        account=account,
        found=found,
        resource=filters.resource or "",
        record_id=filters.id or "",
        cursor=filters.cursor,
    )


@accounts.page("/accounts/<id>/record", "accounts/record.html")
def show_record(id: str) -> RecordPage:
    """Show a record, whose resource and id stand in the query."""
    account, asked = _find(id), read_query(_RecordQuery)
    filters = RecordFilters(
        integrated_account_id=account.id,
        resource=asked.get("resource"),
        id=asked.get("record"),
        with_deleted=True,
        limit=1,
    )
    if not (filters.resource and filters.id):
        raise InvalidInputError([Failure("resource", "expected this and record")])
    found = services().reading.records.list(environment(), filters).result
    if not found:
        raise NotFoundError("record", filters.id[:100])
    return RecordPage(account=account, record=found[0])


@accounts.action("/accounts/<id>/pause", needs=Role.ADMIN)
def pause_account(id: str) -> Done:
    """Have an account's API not called any more."""
    return _set_status(id, AccountStatus.INACTIVE, "It is paused: its API is not called, and its runs wait.")


@accounts.action("/accounts/<id>/activate", needs=Role.ADMIN)
def activate_account(id: str) -> Done:
    """Have an account's API called again."""
    return _set_status(id, AccountStatus.ACTIVE, "It is active: its runs continue.")


@accounts.action("/accounts/<id>/reset-budget")
def reset_budget(id: str) -> Done:
    """Discard what was learned of an account's limits."""
    account = _find(id)
    runs = services().budgets.reset(environment(), account.id)
    notice = f"What was learned of its limits is discarded; runs that waited for them: {len(runs)}."
    return Done(address=_address(account.id), notice=notice)


def _find(id: str) -> IntegratedAccount:
    return services().accounts.get(environment(), path_id(KIND, id))


def _set_status(id: str, status: AccountStatus, notice: str) -> Done:
    changed = services().accounts.update(environment(), path_id(KIND, id), {"status": status.value})
    return Done(address=_address(changed.id), notice=notice)


def _address(id: str) -> str:
    return flask.url_for(".show_account", id=id)
