"""Act on all runs that a search found: counted, confirmed, and then watched."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import flask

from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.engine.errors import Failure, InvalidInputError
from app.engine.objects.bulk_actions import BulkAction, BulkKind, BulkOutcome, BulkStatus, BulkTarget
from app.engine.objects.lists import ListFilters
from app.services.dashboard.run_filters import NAMES, RunFilters, read_filters
from app.ui.screen import Done, Screens

bulk_actions = Screens("bulk-actions")

_KIND: Final = "bulk action"
_LISTED: Final = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownAction:
    """A bulk action, and the runs that it could not act on."""

    action: BulkAction
    filters: RunFilters
    failed: Sequence[BulkTarget]
    skipped: Sequence[BulkTarget]

    @property
    def is_counting(self) -> bool:
        """Whether the number of its runs is not known yet."""
        return self.action.status is BulkStatus.COUNTING

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.action.finished_at is None

    @property
    def is_counted(self) -> bool:
        """Whether it waits for a person."""
        return self.action.status is BulkStatus.COUNTED


@bulk_actions.page("/bulk-actions", "bulk_actions/list.html")
def list_actions() -> Sequence[BulkAction]:
    """List the newest actions."""
    return services().dashboard.bulk_actions.list(environment(), ListFilters(limit=_LISTED)).result


@bulk_actions.action("/bulk-actions")
def count_runs() -> Done:
    """Count what an action would be for."""
    form = flask.request.form
    kind = form.get("kind", "")
    if kind not in set(BulkKind):
        raise InvalidInputError([Failure("kind", f"expected one of {', '.join(BulkKind)}")])
    filters = read_filters({name: form.getlist(name) for name in NAMES if name in form})
    action = services().dashboard.bulk_actions.count(environment(), BulkKind(kind), filters)
    return Done(address=flask.url_for("ui.bulk-actions.show_action", id=action.id))


@bulk_actions.page("/bulk-actions/<id>", "bulk_actions/page.html")
def show_action(id: str) -> ShownAction:
    """Show an action."""
    return _gather(id)


@bulk_actions.fragment("/bulk-actions/<id>/live", "bulk_actions/live.html")
def renew_action(id: str) -> ShownAction:
    """Show how far an action is by now."""
    return _gather(id)


@bulk_actions.action("/bulk-actions/<id>/confirm")
def confirm_action(id: str) -> Done:
    """Let an action begin."""
    action = services().dashboard.bulk_actions.confirm(environment(), path_id(_KIND, id))
    return Done(address=flask.url_for("ui.bulk-actions.show_action", id=action.id), notice="It has begun.")


@bulk_actions.action("/bulk-actions/<id>/cancel")
def cancel_action(id: str) -> Done:
    """End an action; what was done stays."""
    action = services().dashboard.bulk_actions.cancel(environment(), path_id(_KIND, id))
    notice = "It was cancelled." if action.status is BulkStatus.CANCELLED else f"It was {action.status} before."
    return Done(address=flask.url_for("ui.bulk-actions.show_action", id=action.id), notice=notice)


def _gather(id: str) -> ShownAction:
    service = services().dashboard.bulk_actions
    action = service.get(environment(), path_id(_KIND, id))
    failed, skipped = (
        service.list_tried(environment(), action.id, outcome) for outcome in (BulkOutcome.FAILED, BulkOutcome.SKIPPED)
    )
    return ShownAction(action=action, filters=_read(action), failed=failed, skipped=skipped)


def _read(action: BulkAction) -> RunFilters:
    """Read an action's filters; those of another version of Ferryman show none, and ``last_error`` why."""
    try:
        return read_filters(action.filters)
    except InvalidInputError:
        return RunFilters()
