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
from app.services.runs.conflicts import repeats_conflicts
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


_FORGET = text("delete from webhook_record where webhook_id = :id")


@repeats_conflicts
class WebhookStore(OwnedStore[Webhook]):
    """The webhooks of all environments, each as its owner sees it, but for ``get``."""

    def __init__(self, engine: Engine, cipher: Cipher) -> None:
        super().__init__(engine, _TABLE, self._show)
        self._cipher = cipher

    def create(  # type: ignore[override]  # a webhook has a secret from the first
        self, environment_id: EnvironmentId, id: str, values: Mapping[str, Any], *, secret: str
    ) -> Webhook:
        """Write a webhook."""
        sealed = self._cipher.seal(secret, WEBHOOK_SECRET.place(environment_id, id))
        owned = {"id": id, "environment_id": environment_id, "secret_encrypted": sealed}
        return self._webhook(owned_rows.insert_row(self._engine, _TABLE, {**values, **owned}))

    def get(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook, its secret included."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, webhook_id)
        return self._webhook(row) if row else None

    def inspect(self, environment_id: EnvironmentId, webhook_id: str) -> Webhook | None:
        """Read one webhook for its owner, with a report of a secret that does not decrypt."""
        row = owned_rows.find_row(self._engine, _TABLE, environment_id, webhook_id)
        return self._show(row) if row else None

    def update(
        self,
        environment_id: EnvironmentId,
        webhook_id: str,
        values: Mapping[str, Any],
        *,
        seen: RowVersion | None = None,
    ) -> Webhook | None:
        """Change a webhook; its secret stays. One that a user switches on or off starts with a clean record."""
        if "is_active" in values:
            values = {**values, "failing_since": None, "disabled_reason": None}
        row = owned_rows.update_row(self._engine, _TABLE, environment_id, webhook_id, values, seen=seen)
        return self._show(row) if row else None

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        """Sign by another secret, for a while beside the present one; the one before that ends now.

        One that does not decrypt ends now, so that a webhook is mended by another secret. Raise ConflictError when
        somebody else has replaced it meanwhile: their secret would be shown to nobody.
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

    def note_failure(
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

    def note_success(self, webhook_id: str) -> None:
        """Record that a delivery was taken."""
        with self._engine.begin() as connection:
            connection.execute(_NOTE_SUCCESS, {"id": webhook_id})

    def delete(self, environment_id: EnvironmentId, webhook_id: str, *, seen: RowVersion | None = None) -> bool:
        """Remove a webhook, and what it knows of records."""
        if not owned_rows.delete_row(self._engine, _TABLE, environment_id, webhook_id, seen=seen):
            return False
        with self._engine.begin() as connection:
            connection.execute(_FORGET, {"id": webhook_id})
        return True

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
        """Read a webhook for its owner: a secret that does not decrypt keeps none of the others from being listed."""
        try:
            return self._webhook(row)
        except UnreadableSecretError as error:
            return replace(_webhook(row, secret=""), disabled_reason=f"{error.code}: {error.message}")


def _webhook(row: Row, *, secret: str, previous_secret: str | None = None) -> Webhook:
    return build_object(Webhook, row, secret=secret, previous_secret=previous_secret)
