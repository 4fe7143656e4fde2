"""Entries of the audit log for what no trigger sees: acts on rows of which there are too many to watch.

They are written in the transaction of the act, and only where somebody asked for it.
"""

from typing import Final

from sqlalchemy import Connection, Engine, text

from app.engine.json_types import JsonObject
from app.engine.records.rows import encode
from app.services.runs.conflicts import retry_conflicts
from app.store.db.database import Row

_NOTE: Final = """
    select audit_write(owner.{environment}, {account}, :action, :object_type, :object_id, null, cast(:after as jsonb))
      from {table} owner
     where owner.id = cast(:owner_id as uuid) and coalesce(current_setting('ferryman.actor', true), '') <> ''
"""
_OF_ACCOUNT: Final = text(_NOTE.format(table="integrated_account", environment="environment_id", account="owner.id"))
_OF_WEBHOOK: Final = text(_NOTE.format(table="webhook", environment="environment_id", account="null"))
_OF_ENVIRONMENT: Final = text(_NOTE.format(table="environment", environment="id", account="null"))
# What is of all environments is in the log of each.
_OF_KEY: Final = text("""
    select audit_write(id, null, 'encryption_key.rotated', 'encryption_key', cast(:key_id as text), null, null)
      from environment where coalesce(current_setting('ferryman.actor', true), '') <> ''
""")


def note_of_account(connection: Connection, account_id: str, action: str, after: JsonObject) -> None:
    """Record that something was done to an account."""
    values = {"owner_id": account_id, "object_type": "integrated_account", "object_id": account_id}
    connection.execute(_OF_ACCOUNT, {**values, "action": f"integrated_account.{action}", "after": _json(after)})


def note_of_delivery(connection: Connection, webhook_id: str, delivery_id: str, action: str) -> None:
    """Record that something was done to a delivery of a webhook."""
    values = {"owner_id": webhook_id, "object_type": "delivery", "object_id": delivery_id}
    after = _json({"webhook_id": webhook_id})
    connection.execute(_OF_WEBHOOK, {**values, "action": f"delivery.{action}", "after": after})


@retry_conflicts
class AuditNotes:
    """Records what is no change of a row at all."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def note_issued_token(self, account_id: str, after: JsonObject) -> None:
        """Record that a token of an account was issued."""
        with self._engine.begin() as connection:
            note_of_account(connection, account_id, "token_issued", after)


def note_of_session(connection: Connection, session: Row, action: str) -> None:
    """Record that somebody has signed in to the dashboard, or out, or was signed out."""
    named = {name: None if session[name] is None else str(session[name]) for name in ("name", "role", "token_id")}
    values = {"owner_id": session["environment_id"], "object_id": str(session["id"]), "after": _json(named)}
    type_and_action = {"object_type": "dashboard_session", "action": f"dashboard_session.{action}"}
    connection.execute(_OF_ENVIRONMENT, {**values, **type_and_action})


def note_of_key(connection: Connection, key_id: str) -> None:
    """Record that a key encrypts from now on, in the place of another one."""
    connection.execute(_OF_KEY, {"key_id": key_id})


def _json(value: JsonObject) -> str:
    return encode(value).decode()
