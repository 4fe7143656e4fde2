"""Webhooks: how far behind each is, what it was sent, and what it answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import flask

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.webhooks import DeliveryQuery, WebhookQuery
from app.engine.errors import ConflictError, Failure, InvalidInputError
from app.engine.objects.environments import Role
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.webhooks import Delivery, Webhook
from app.engine.status import DeliveryStatus
from app.services.dashboard.facts import Backlog
from app.ui import rendering
from app.ui.charts import draw_line
from app.ui.listing import Listing, read_listing
from app.ui.screen import Done, Screens

webhooks = Screens("webhooks", title="Webhooks", key="w", home="list_webhooks")

_COUNTED_OF_EACH: Final = 200
_COUNTED: Final = 1000
_MOST_RETRIED: Final = 200
_MOST_DIGITS: Final = 3
_FAILED: Final = (DeliveryStatus.DEAD_LETTERED, DeliveryStatus.QUARANTINED)
_RENAMED: Final = {"sync_job_run_id": "run_id"}
_TIMES: Final = ("created_at", "delivered_at")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhooksPage:
    """A page of webhooks."""

    found: Page[Webhook]
    listing: Listing
    backlogs: Mapping[str, Backlog]


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogPart:
    """How far a webhook is behind by now."""

    webhook: Webhook
    backlog: Backlog

    @property
    def latencies(self) -> str:
        """The points of a line through the seconds that its last deliveries took."""
        return draw_line(self.backlog.latencies)

    @property
    def median_seconds(self) -> float | None:
        """What half of its last deliveries took at most."""
        ordered = sorted(self.backlog.latencies)
        return ordered[len(ordered) // 2] if ordered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookPage:
    """A webhook with a page of its deliveries."""

    webhook: Webhook
    part: BacklogPart
    found: Page[Delivery]
    listing: Listing
    failed: int
    """How many that match can be sent again at once."""
    statuses: Sequence[DeliveryStatus] = tuple(DeliveryStatus)
    most_retried: int = _MOST_RETRIED


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryPage:
    """A delivery, and the webhook that it is for."""

    webhook: Webhook
    delivery: Delivery


@webhooks.page("/webhooks", "webhooks/list.html")
def list_webhooks() -> WebhooksPage:
    """List webhooks, the newest first."""
    listing = read_listing(WebhookQuery)
    page = services().webhooks.list(environment(), listing.filters)
    ids = [one.id for one in page.result]
    counted = services().dashboard.count_backlogs(ids, most=_COUNTED_OF_EACH)
    return WebhooksPage(found=page, listing=listing, backlogs=counted)


@webhooks.page("/webhooks/<id>", "webhooks/webhook.html")
def show_webhook(id: str) -> WebhookPage:
    """Show a webhook with its deliveries."""
    webhook = _find(id)
    listing = read_listing(DeliveryQuery, times=_TIMES, renamed=_RENAMED)
    return WebhookPage(
        webhook=webhook,
        part=_count(webhook),
        found=services().deliveries.list(environment(), webhook.id, listing.filters),
        listing=listing,
        failed=len(_list_failed(webhook.id, listing.filters)),
    )


@webhooks.fragment("/webhooks/<id>/backlog", "webhooks/backlog.html")
def show_backlog(id: str) -> BacklogPart:
    """Show how far a webhook is behind by now."""
    return _count(_find(id))


@webhooks.page("/webhooks/<id>/deliveries/<delivery_id>", "webhooks/delivery.html")
def show_delivery(id: str, delivery_id: str) -> DeliveryPage:
    """Show what was sent, and what was answered."""
    webhook = _find(id)
    found = services().deliveries.get(environment(), webhook.id, path_id("delivery", delivery_id))
    return DeliveryPage(webhook=webhook, delivery=found)


@webhooks.action("/webhooks/<id>/deliveries/<delivery_id>/retry")
def retry_delivery(id: str, delivery_id: str) -> Done:
    """Send a delivery again, or at once."""
    found = services().deliveries.retry(environment(), path_id("webhook", id), path_id("delivery", delivery_id))
    address = flask.url_for(".show_delivery", id=found.webhook_id, delivery_id=found.id)
    return Done(address=address, notice="It is sent again.")


@webhooks.action("/webhooks/<id>/retry")
def retry_failed(id: str) -> Done:
    """Send all deliveries again that failed and match the filters of the address, up to a limit."""
    webhook = _find(id)
    listing = read_listing(DeliveryQuery, times=_TIMES, renamed=_RENAMED)
    ids, gone = _list_failed(webhook.id, listing.filters), 0
    for delivery_id in ids:
        try:
            services().deliveries.retry(environment(), webhook.id, delivery_id)
        except ConflictError:
            gone += 1
    left = f" Of {gone} retention has removed the bodies." if gone else ""
    filters: dict[str, Any] = {**listing.typed}
    address = flask.url_for(".show_webhook", id=webhook.id, **filters)
    return Done(address=address, notice=f"{len(ids) - gone} deliveries are sent again.{left}")


@webhooks.action("/webhooks/<id>/pause", needs=Role.ADMIN)
def pause_webhook(id: str) -> Done:
    """Have nothing sent to a webhook; what is for it waits."""
    return _set_active(id, is_active=False, notice="It is paused: what is for it waits.")


@webhooks.action("/webhooks/<id>/resume", needs=Role.ADMIN)
def resume_webhook(id: str) -> Done:
    """Have a webhook sent to again, at once."""
    return _set_active(id, is_active=True, notice="It is active: what waits is sent.")


@webhooks.action("/webhooks/<id>/test")
def test_webhook(id: str) -> Done:
    """Send a test event."""
    webhook = _find(id)
    services().webhooks.test(environment(), webhook.id)
    return Done(address=_address(webhook.id), notice="It took the test event.")


@webhooks.action("/webhooks/<id>/rotate-secret", needs=Role.ADMIN)
def rotate_secret(id: str) -> flask.Response:
    """Replace a webhook's secret, and show the new one on this page alone."""
    hours = flask.request.form.get("hours", "24")
    if not (hours.isascii() and hours.isdigit() and len(hours) <= _MOST_DIGITS and int(hours) <= 24 * 7):
        raise InvalidInputError([Failure("hours", "expected a number from 0 to 168")])
    changed = services().webhooks.rotate_secret(
        environment(), path_id("webhook", id), overlap_seconds=float(hours) * 3600
    )
    return rendering.show("webhooks/secret.html", page=changed)


def _find(id: str) -> Webhook:
    return services().webhooks.get(environment(), path_id("webhook", id))


def _count(webhook: Webhook) -> BacklogPart:
    counted = services().dashboard.count_backlogs([webhook.id], most=_COUNTED)
    return BacklogPart(webhook=webhook, backlog=counted[webhook.id])


def _list_failed(webhook_id: str, filters: ListFilters) -> Sequence[str]:
    """List the ids of deliveries that failed, the newest first, among those that match."""
    status = filters.equal.get("status")
    if status is not None and status not in _FAILED:
        return []
    equal = {name: value for name, value in filters.equal.items() if name != "status"}
    among = [*filters.among, ("status", [status] if status else list(_FAILED))]
    asked = replace(filters, equal=equal, among=among, cursor=None, limit=_MOST_RETRIED)
    return [one.id for one in services().deliveries.list(environment(), webhook_id, asked).result]


def _set_active(id: str, *, is_active: bool, notice: str) -> Done:
    changed = services().webhooks.update(environment(), path_id("webhook", id), {"is_active": is_active})
    return Done(address=_address(changed.id), notice=notice)


def _address(id: str) -> str:
    return flask.url_for(".show_webhook", id=id)
