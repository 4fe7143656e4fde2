"""The deliveries of all webhooks of an environment, in one order.

There may be thousands of webhooks, each with an index of its own deliveries: those that hold the newest are found
first, and only they are read.
"""

from collections.abc import Callable
from typing import Any

from sqlalchemy import ColumnElement, Engine, Select, Subquery, select, true

from app.engine.logs.entries import WebhookEntry
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row
from app.store.deliveries.shown import LISTED, delivery_of
from app.store.reading import places
from app.store.reading.places import Question, read_log

_DELIVERY, _WEBHOOK = tables.delivery, tables.webhook
_FILTERS = {"event": _DELIVERY.c.event, "status": _DELIVERY.c.status, "id": _DELIVERY.c.id}


@retry_conflicts
class WebhookLogReader:
    """The deliveries of all environments."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def read(self, environment_id: EnvironmentId, filters: ListFilters) -> Page[WebhookEntry]:
        """Read a page of an environment's deliveries."""
        after = places.decode(filters.cursor) if filters.cursor else None
        question = Question(environment_id=environment_id, filters=filters, after=after)
        with read_log(self._engine) as connection:
            rows = connection.execute(_statement(question)).mappings().all()
        found = [row for row in rows if question.is_unread(_place(row))]
        shown = found[: filters.limit]
        return Page(
            result=[WebhookEntry(environment_id=environment_id, delivery=delivery_of(row)) for row in shown],
            next_cursor=places.encode(_place(shown[-1])) if len(found) > len(shown) else None,
            limit=filters.limit,
        )


def _statement(question: Question) -> Select[Any]:
    """Look through one run's deliveries, or through those of all webhooks."""
    run_ids = question.among("sync_job_run_id")
    listed = question.narrow(select(*LISTED), _FILTERS)
    if run_ids is not None:
        own = select(_WEBHOOK.c.id).where(_WEBHOOK.c.environment_id == question.environment_id)
        listed = question.narrow(listed, {"webhook_id": _DELIVERY.c.webhook_id})
        listed = listed.where(_DELIVERY.c.run_id.in_(run_ids), _DELIVERY.c.webhook_id.in_(own))
        return question.page(listed, _DELIVERY.c.created_at, _DELIVERY.c.id)
    return of_webhooks(question, lambda webhook_id: listed.where(_DELIVERY.c.webhook_id == webhook_id))


def of_webhooks(question: Question, of_one: Callable[[ColumnElement[Any]], Select[Any]]) -> Select[Any]:
    """Read a page of all webhooks' deliveries, given how those of one are read."""

    def page_of(webhook_id: ColumnElement[Any]) -> Select[Any]:
        return question.page(of_one(webhook_id), _DELIVERY.c.created_at, _DELIVERY.c.id)

    busiest = _busiest(question, page_of)
    found = page_of(busiest.c.id).lateral("found")
    statement = select(found).select_from(busiest.join(found, true()))
    return question.order(statement, found.c.created_at, found.c.id).limit(question.filters.limit + 2)


def _busiest(question: Question, page_of: Callable[[ColumnElement[Any]], Select[Any]]) -> Subquery:
    """Find the webhooks whose next delivery is among the next of all: the others can add nothing to a page."""
    first = page_of(_WEBHOOK.c.id).limit(1).lateral("first")
    webhooks = select(_WEBHOOK.c.id).select_from(_WEBHOOK.join(first, true()))
    webhooks = webhooks.where(_WEBHOOK.c.environment_id == question.environment_id)
    webhooks = question.narrow(webhooks, {"webhook_id": _WEBHOOK.c.id})
    return (
        question.order(webhooks, first.c.created_at, first.c.id).limit(question.filters.limit + 2).subquery("busiest")
    )


def _place(row: Row) -> places.Place:
    return places.Place(row["created_at"], str(row["id"]))
