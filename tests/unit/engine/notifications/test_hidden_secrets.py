"""No answer of a receiver shows a secret of its destination, whatever the secret looks like."""

import pytest

from app.engine.notifications.destination_config import hide_secrets
from app.engine.objects.notifications import NotificationType
from app.engine.webhooks import signatures


@pytest.mark.parametrize("secret", ["http://[::1", "ünïcödé-password", "https://", "a" * 5000, "p=assw&ord/with?steps"])
def test_secret_that_is_repeated_is_hidden(secret: str) -> None:
    config = {"target_url": "https://example.com", "secret": secret}

    assert hide_secrets(NotificationType.WEBHOOK, config, f"no {secret}!") == "no ********!"
    assert hide_secrets(NotificationType.WEBHOOK, config, "cut " + secret[:8]) == "cut ********"
    assert signatures.sign_headers([secret], encoding="hex", event_id="1", timestamp_seconds=1, body=b"")


def test_path_of_an_address_is_hidden_and_its_words_are_not() -> None:
    config = {"webhook_url": "https://hooks.example.com/services/T0000000A/B0000000B/xyzxyzxyz"}

    shown = hide_secrets(NotificationType.SLACK, config, "/services/T0000000A/B0000000B/xyzxyzxyz is gone: xyzxyzxyz")

    assert shown == "******** is gone: ********"
