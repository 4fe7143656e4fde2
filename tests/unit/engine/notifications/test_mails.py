"""A mail is what Ferryman writes, whatever a tenant or an upstream has written."""

from datetime import UTC, datetime
from email import message_from_bytes

import pytest

from app.engine.notifications.destination_config import check_address, check_config
from app.engine.notifications.renderings import render_mail
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.notifications import Notification, NotificationType

HOSTILE = (
    "=?utf-8?q?=0d=0aBcc:_thief@example.com=0d=0a=0d=0aClick_here?=",
    "=?utf-8?b?DQpCY2M6IHRoaWVmQGV4YW1wbGUuY29t?=",
    "x" * 180 + "=?utf-8?q?=0d=0aBcc:_thief?=",
    "==?utf-8?q?=0d=0aBcc:_thief?=",
    "=?utf-8?q?=00?=",
    "\r\nBcc: thief@example.com",
    "\u2028\u0085Bcc: thief@example.com",
)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("place", ["title", "prefix", "text"])
def test_no_text_begins_another_header(text: str, place: str) -> None:
    config = {"to": ["ops@example.com"], "subject_prefix": text if place == "prefix" else "Ferryman:"}
    shown = {"kind": "opened", "title": text if place == "title" else "t", "text": [text if place == "text" else "t"]}
    notification = Notification(
        id="1", environment_id=EnvironmentId("e"), notification_destination_id="d", message=shown, attempts=1,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip

    sent = message_from_bytes(render_mail(notification, config, sender="f@example.com").as_bytes())

    own = {"Subject", "From", "To", "Date", "Message-ID", "Auto-Submitted", "MIME-Version"}
    assert set(sent.keys()) == own | {"Content-Type", "Content-Transfer-Encoding"}
    assert "\0" not in str(sent["Subject"])
    assert not sent.as_string().partition("\n\n")[2].startswith("Click")


@pytest.mark.parametrize("address", ["=?utf-8?q??=@example.com", "=?utf-8?q?=0d=0aBcc=3athief?=@example.com", "a b@c"])
def test_address_that_is_no_plain_one_is_refused(address: str) -> None:
    config = {"to": [address], "from": address, "host": "mail.example.com"}

    faults = check_config(NotificationType.EMAIL, config, has_mail_server=False)

    assert check_address(address) is not None
    assert [fault.path for fault in faults] == ["config.to", "config.from"]
