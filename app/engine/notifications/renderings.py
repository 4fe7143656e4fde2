"""A message as each type of destination takes it; nothing in it is markup but what is written here."""

from email.message import EmailMessage
from email.policy import SMTP
from typing import Final

from app.engine.json_types import JSON, JsonObject
from app.engine.notifications.destination_config import read_addresses
from app.engine.notifications.messages import clean
from app.engine.objects.notifications import Notification
from app.engine.records.rows import encode
from app.engine.times import format_utc

_LONGEST_SUBJECT: Final = 200
# https://api.slack.com/reference/surfaces/formatting#escaping
_ESCAPES: Final = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render_slack(message: JsonObject) -> bytes:
    """Return the body for an incoming webhook; ids of people and channels in it call nobody."""
    title, *lines = _write_text(message)
    return encode({"text": "\n".join([f"*{title}*", *lines]).translate(_ESCAPES)})


def render_event(notification: Notification) -> bytes:
    """Return the body of an event, in the envelope of webhooks."""
    return encode(
        {
            "id": notification.id,
            "event": f"notification:{notification.message['kind']}",
            "payload": notification.message,
            "environment_id": notification.environment_id,
            "notification_destination_id": notification.notification_destination_id,
            "created_at": format_utc(notification.created_at),
        }
    )


def render_mail(notification: Notification, config: JsonObject, *, sender: str) -> EmailMessage:
    """Return a mail without its hidden receivers, under a Message-ID of the notification's own."""
    title, *lines = _write_text(notification.message)
    mail = EmailMessage(policy=SMTP)
    prefix = clean(config.get("subject_prefix", "Ferryman:"))
    mail["Subject"] = _write_header(f"{prefix} {title}"[:_LONGEST_SUBJECT])
    mail["From"] = sender
    for header, key in (("To", "to"), ("Cc", "cc")):
        if key in config:
            mail[header] = ", ".join(read_addresses(config[key]))
    mail["Date"] = notification.created_at
    mail["Message-ID"] = f"<{notification.id}@{sender.partition('@')[2]}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content("\n".join([title, "", *lines, ""]))
    return mail


def list_receivers(config: JsonObject) -> list[str]:
    """Return every address that a mail goes to."""
    return [address for key in ("to", "cc", "bcc") for address in read_addresses(config.get(key))]


def _write_header(text: str) -> str:
    """Return a text that begins no encoded word: ``email`` would decode it, with line ends that begin other headers."""
    return text.replace("=?", "= ?")


def _write_text(message: JsonObject) -> list[str]:
    links: list[JSON] = [message["url"]] if message.get("url") else []
    return [clean(line) for line in (message["title"], *message["text"], *links)]
