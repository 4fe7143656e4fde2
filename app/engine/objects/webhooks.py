"""Webhooks, and the deliveries of events to them."""

from dataclasses import dataclass, field
from datetime import datetime

from app.engine.objects.environments import EnvironmentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Where RapidBridge runs deliver; ``secret`` signs every delivery, for a while beside the one before it."""

    id: str
    environment_id: EnvironmentId
    target_url: str
    is_active: bool = True
    event_types: list[str] | None = None
    """None subscribes to every event."""
    signature_encoding: str = "hex"
    """How ``v`` of X-Truto-Signature is written: ``hex`` or ``base64``."""
    changes_only: bool = False
    """Its runs send only records that have changed since they were last sent to it."""
    failing_since: datetime | None = None
    """Its first failure after its last success."""
    disabled_reason: str | None = None
    """Why Ferryman made it inactive; None when a user did."""
    previous_secret_expires_at: datetime | None = None
    """Until when what it is sent is signed by the secret before the present one too."""
    secret: str = field(repr=False)
    previous_secret: str | None = field(default=None, repr=False)
    created_at: datetime
    updated_at: datetime

    def list_valid_secrets(self, at: datetime) -> list[str]:
        """List the secrets that sign at a moment, the newest first."""
        is_previous_valid = self.previous_secret_expires_at is not None and at < self.previous_secret_expires_at
        return [self.secret, *([self.previous_secret] if self.previous_secret and is_previous_valid else [])]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One event for a webhook, and its state."""

    id: str
    webhook_id: str
    sync_job_run_id: str | None
    """None for an event that belongs to no run."""
    event: str
    status: str
    """One of ``DeliveryStatus``."""
    records: int
    sequence: int | None
    """A record batch's number in its account's log."""
    attempts: int
    last_status_code: int | None
    last_error: str | None
    created_at: datetime
    last_attempt_at: datetime | None
    delivered_at: datetime | None
    part_of: str | None = None
    """The delivery that its receiver refused as too large, and of which this one is a part."""
    body: str | None = field(default=None, repr=False)
    """The exact text that is signed and sent; None in lists, and once retention has removed it."""
