"""Webhooks in Postgres; their secrets are encrypted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sqlalchemy import Engine, text

from app.engine.errors import ConflictError, UnreadableSecretError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import RowVersion
from app.engine.objects.webhooks import Webhook
from app.engine.webhooks.events import WEBHOOK_DISABLED
from app.services.ports import Announcement
from app.services.runs.conflicts import retry_conflicts
from app.store import tables
from app.store.announcements.announcements import insert_announcements
from app.store.db import owned_rows
from app.store.db.database import Row
from app.store.db.owned_rows import OwnedStore, build_object
from app.store.secrets.bound_values import WEBHOOK_PREVIOUS_SECRET, WEBHOOK_SECRET, SealedColumn
from app.store.secrets.encryption import Cipher

_TABLE = tables.webhook

# Writes at the first failure after a success, and when the patience is over; in between nothing changes.
_NOTE_FAILURE = text("""
    update webhook
       set failing_since = coalesce(failing_since, now()),
           is_active = coalesce(failing_since, now()) > now() - make_interval(secs => :seconds),
           disabled_reason = case when coalesce(failing_since, now()) <= now() - make_interval(secs => :seconds)
                                  then :reason end
     where id = :id and is_active
           and coalesce(failing_since, '-infinity') <= now() - make_interval(secs => :seconds)
 returning is_active
""")

_SUBSCRIBERS = text("""
    select other.id from webhook other join webhook disabled on disabled.environment_id = other.environment_id
     where disabled.id = :id and other.id <> disabled.id and other.is_active
           and (other.event_types is null or :event = any(other.event_types))
""")

_REPLACE_SECRET = text("""
    update webhook
       set secret_encrypted = :secret, previous_secret_encrypted = :previous, updated_at = now(),
           previous_secret_expires_at = case when cast(:previous as bytea) is not null
                                             then now() + make_interval(secs => :seconds) end
     where id = :id and secret_encrypted = :present
 returning *
""")

_NOTE_SUCCESS = text("update webhook set failing_since = null where id = :id and failing_since is not null")


@retry_conflicts
class WebhookStore(OwnedStore[Webhook]):
    """The webhooks of all environments, each as its owner sees it, but for ``get``."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, _TABLE, self._show)
        self._cipher = cipher

    def create(self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any]) -> Webhook:
        """Write a webhook, with its ``secret``."""
        given = dict(values)
        given["secret_encrypted"] = self._cipher.seal(given.pop("secret"), WEBHOOK_SECRET.place(environment_id, id))
        return super().create(environment_id, id, given)

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook, its secret included."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, webhook_id)
        return self._webhook(row) if row else None

    def inspect(self, environment_id: EnvironmentId, id: str) -> Webhook | None:
        """Read one webhook for its owner, with a report of a secret that does not decrypt."""
        return super().get(environment_id, id)

    def update(
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, seen: RowVersion | None = None
    ) -> Webhook | None:
        """Change a webhook; its secret stays. One that a user switches on or off starts with a clean record."""
        if "is_active" in values:
            values = {**values, "failing_since": None, "disabled_reason": None}
        return super().update(environment_id, id, values, seen=seen)

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        """Replace the secret; the present one signs beside the new one for a while, an older one ends now.

        A present one that does not decrypt ends now too, so that a new secret repairs its webhook. Raise ConflictError
        when another call has replaced it meanwhile: its secret was returned already, and would be lost.
        """
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, webhook_id)
        if row is None:
            return None
        # By the row's own id: a caller may write it in capitals.
        place = WEBHOOK_SECRET.place(row["environment_id"], row["id"])
        values = {
            "secret": self._cipher.seal(secret, place),
            "previous": self._reseal(row) if overlap_seconds > 0 else None,
            "seconds": overlap_seconds,
        }
        with self._engine.begin() as connection:
            parameters = {**values, "id": webhook_id, "present": row["secret_encrypted"]}
            replaced = connection.execute(_REPLACE_SECRET, parameters).mappings().one_or_none()
        if replaced is None:
            raise ConflictError("the secret of this webhook was replaced, or the webhook removed, at the same moment")
        return self._webhook(replaced)

    def record_failure(
        self, webhook_id: str, reason: str, *, disable_after_seconds: float, announce: Announcement
    ) -> bool:
        """Record that a delivery failed; return whether the webhook is disabled now, having failed for so long.

        Then the events that report it to the environment's other webhooks are queued in the same transaction.
        """
        values = {"id": webhook_id, "reason": reason, "seconds": disable_after_seconds}
        with self._engine.begin() as connection:
            row = connection.execute(_NOTE_FAILURE, values).first()
            if row is None or row.is_active:
                return False
            others = connection.execute(_SUBSCRIBERS, {"id": webhook_id, "event": WEBHOOK_DISABLED}).scalars()
            insert_announcements(connection, announce([str(other) for other in others]))
        return True

    def record_success(self, webhook_id: str) -> None:
        """Record that a delivery was accepted."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE_SUCCESS, {"id": webhook_id})

    def delete(self, environment_id: EnvironmentId, webhook_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a webhook; retention removes what it received of records, which may be millions of rows."""
        return owned_rows.delete_row(self._engine, _TABLE, environment_id, webhook_id, seen=seen)

    def _webhook(self, row: Row) -> Webhook:
        previous = self._open(row, WEBHOOK_PREVIOUS_SECRET) if row["previous_secret_encrypted"] else None
        return _webhook(row, secret=self._open(row, WEBHOOK_SECRET), previous_secret=previous)

    def _reseal(self, row: Row) -> bytes | None:
        """Seal the present secret as the one before; None when it does not decrypt, so that it signs nothing."""
        try:
            present = self._open(row, WEBHOOK_SECRET)
        except UnreadableSecretError:
            return None
        return self._cipher.seal(present, WEBHOOK_PREVIOUS_SECRET.place(row["environment_id"], row["id"]))

    def _open(self, row: Row, column: SealedColumn) -> str:
        secret = self._cipher.open(row[column.name], column.place(row["environment_id"], row["id"]))
        assert isinstance(secret, str)
        return secret

    def _show(self, row: Row) -> Webhook:
        """Read a webhook for its owner: a secret that does not decrypt does not keep the others from being listed."""
        try:
            return self._webhook(row)
        except UnreadableSecretError as error:
            return replace(_webhook(row, secret=""), disabled_reason=f"{error.code}: {error.message}")


def _webhook(row: Row, *, secret: str, previous_secret: str | None = None) -> Webhook:
    return build_object(Webhook, row, secret=secret, previous_secret=previous_secret)
