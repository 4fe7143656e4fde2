"""Entries of the audit log for what no trigger sees: acts on rows of which there are too many to watch.

They are written in the transaction of the act, and only where somebody asked for it.
"""

from typing import Final

from sqlalchemy import Connection, text

from app.engine.json_types import JsonObject
from app.engine.records.rows import encode

_NOTE: Final = """
    select audit_write(owner.environment_id, {account}, :action, :object_type, :object_id, null, cast(:after as jsonb))
      from {table} owner
     where owner.id = cast(:owner_id as uuid) and coalesce(current_setting('ferryman.actor', true), '') <> ''
"""
_OF_ACCOUNT: Final = text(_NOTE.format(table="integrated_account", account="owner.id"))
_OF_WEBHOOK: Final = text(_NOTE.format(table="webhook", account="null"))


def note_of_account(connection: Connection, account_id: str, action: str, after: JsonObject) -> None:
    """Record that something was done to an account."""
    values = {"owner_id": account_id, "object_type": "integrated_account", "object_id": account_id}
    connection.execute(_OF_ACCOUNT, {**values, "action": f"integrated_account.{action}", "after": _json(after)})


def note_of_delivery(connection: Connection, webhook_id: str, delivery_id: str, action: str) -> None:
    """Record that something was done to a delivery of a webhook."""
    values = {"owner_id": webhook_id, "object_type": "delivery", "object_id": delivery_id}
    after = _json({"webhook_id": webhook_id})
    connection.execute(_OF_WEBHOOK, {**values, "action": f"delivery.{action}", "after": after})


def _json(value: JsonObject) -> str:
    return encode(value).decode()
