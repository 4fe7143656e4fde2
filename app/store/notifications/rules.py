"""Notification rules in Postgres."""

from sqlalchemy import Engine

from app.engine.objects.notifications import NotificationRule
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.db.database import Row
from app.store.db.owned_rows import OwnedStore, build_object


@retry_conflicts
class NotificationRuleStore(OwnedStore[NotificationRule]):
    """The rules of all environments."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, tables.notification_rule, _rule)


def _rule(row: Row) -> NotificationRule:
    return build_object(NotificationRule, row)
