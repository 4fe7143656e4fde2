"""Every list of every shipped connector with its kind, and three pages of it to serve."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tests.integration.sources import connector_kinds as kinds
from tests.integration.sources.list_kind import Answer, At, Json, Kind, Make

_HUBSPOT_OBJECTS = ("contacts", "companies", "deals", "tickets", "notes", "calls", "products", "line_items")
_STRIPE = (
    *("customers", "products", "prices", "plans", "coupons", "subscriptions", "subscription_items", "invoices"),
    *("invoice_items", "invoice_lines", "credit_notes", "charges", "payment_intents", "payment_methods", "refunds"),
    *("disputes", "payouts", "balance_transactions", "tax_rates", "events"),
)
_TABLE: tuple[tuple[str, Kind, tuple[str, ...]], ...] = (
    ("github", kinds.GITHUB, ("repos", "org_repos", "issues", "all_issues", "org_issues", "issue_comments")),
    (
        "github",
        kinds.GITHUB,
        ("repo_comments", "pulls", "labels", "milestones", "org_members", "teams", "team_members"),
    ),
    ("hubspot", kinds.HUBSPOT, (*_HUBSPOT_OBJECTS, "owners")),
    ("hubspot", kinds.HUBSPOT_SEARCH, tuple(f"changed_{name}" for name in _HUBSPOT_OBJECTS)),
    ("hubspot", kinds.AT_ONCE, ("deal_pipelines", "ticket_pipelines")),
    ("intercom", kinds.INTERCOM, ("contacts", "conversations")),
    ("intercom", kinds.INTERCOM_SEARCH, ("changed_contacts", "changed_conversations", "changed_tickets")),
    ("intercom", kinds.INTERCOM_PAGES, ("companies",)),
    ("intercom", kinds.INTERCOM_PARTS, ("conversation_parts",)),
    ("intercom", kinds.AT_ONCE, ("admins", "teams", "tags", "segments")),
    ("jira", kinds.JIRA, ("projects", "groups", "group_members", "priorities")),
    ("jira", kinds.JIRA_ISSUES, ("issues",)),
    ("jira", kinds.JIRA_COUNTED, ("comments", "worklogs")),
    ("jira", kinds.JIRA_USERS, ("users",)),
    ("jira", kinds.AT_ONCE, ("fields", "statuses", "issue_types")),
    ("salesforce", kinds.SALESFORCE, ("contacts", "accounts", "opportunities", "leads", "tasks", "cases", "users")),
    ("salesforce", kinds.SALESFORCE, ("query", "query_all")),
    ("salesforce", kinds.AT_ONCE, ("sobjects",)),
    ("slack", kinds.SLACK, ("users", "conversations", "my_conversations")),
    ("slack", kinds.SLACK_MEMBERS, ("members",)),
    ("slack", kinds.SLACK_MESSAGES, ("messages", "replies")),
    ("slack", kinds.AT_ONCE, ("user_groups",)),
    ("stripe", kinds.STRIPE, _STRIPE),
    ("zendesk", kinds.ZENDESK, ("tickets", "users", "organizations", "groups", "group_memberships")),
    ("zendesk", kinds.ZENDESK, ("ticket_fields", "ticket_metrics", "satisfaction_ratings")),
    ("zendesk", kinds.ZENDESK_OF_A_TICKET, ("ticket_comments", "ticket_audits")),
    ("zendesk", kinds.ZENDESK_EXPORT, ("changed_tickets", "changed_users")),
    ("zendesk", kinds.ZENDESK_FORMS, ("ticket_forms",)),
)


@dataclass(frozen=True)
class ConnectorList:
    connector: str
    resource: str
    kind: Kind

    def __str__(self) -> str:
        return f"{self.connector}-{self.resource}"

    @property
    def proofs(self) -> set[str]:
        return {proof for proof, _ in self.kind.lasts.values()}


LISTS = [ConnectorList(connector, name, kind) for connector, kind, names in _TABLE for name in names]


@dataclass(frozen=True)
class Script:
    """What an upstream answers page by page, the requests that are due for it, and the records of it all."""

    answers: list[Answer]
    requests: list[Json]
    records: list[Any]


def ending(one: ConnectorList, last: str, first: Json, *, path: str, url: str, sizes: tuple[int, ...]) -> Script:
    """Make a list with pages so long that ends by one form of the last answer."""
    if one.kind.is_done_by_empty_pages:
        sizes = (*(size for size in sizes if size), 0, 0)
    return _script(one.kind, one.kind.lasts[last][1], list(_pages(one.kind, first, path, url, sizes)))


def breaking(one: ConnectorList, form: str, first: Json, *, path: str, url: str, sizes: tuple[int, ...]) -> Script:
    """Make a list whose last answer promises more, and does not say where."""
    return _script(
        one.kind, {**one.kind.broken, **one.kind.strange}[form], list(_pages(one.kind, first, path, url, sizes))
    )


def _script(kind: Kind, last: Make, pages: list[At]) -> Script:
    more = [kind.more(at) for at in pages[:-1] if kind.more is not None]
    return Script(
        answers=[*more, last(pages[-1])],
        requests=[pages[0].first, *(kind.following(at) for at in pages[:-1])],
        records=[record for at in pages for record in at.records],
    )


def _pages(kind: Kind, first: Json, path: str, url: str, sizes: tuple[int, ...]) -> Iterator[At]:
    before = 0
    for number, size in enumerate(sizes):
        records = [kind.record(count) for count in range(before + 1, before + size + 1)]
        yield At(number=number, before=before, records=records, total=sum(sizes), path=path, first=first, url=url)
        before += size
