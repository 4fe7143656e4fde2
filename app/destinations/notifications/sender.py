"""Send one notification to its destination, by the destination's type."""

from dataclasses import dataclass, field
from functools import partial
from urllib.parse import unquote, urlsplit

from app.destinations.json_posts import JsonPosts
from app.destinations.notifications.smtp import DEFAULT_PORTS, INSECURE, STARTTLS, TLS, MailServer, send_mail
from app.engine.errors import DeliveryError
from app.engine.json_types import JsonObject
from app.engine.notifications import renderings
from app.engine.notifications.destination_config import hide_secrets
from app.engine.objects.notifications import Notification, NotificationDestination, NotificationType
from app.engine.webhooks import signatures
from app.net.addresses import AllowedNetworks
from app.net.loop import LoopThread
from app.services.ports import Clock

_SECURITIES = {"smtps": TLS, "smtp": STARTTLS, "smtp+insecure": INSECURE}


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorMail:
    """The mail server of who runs this Ferryman; empty: there is none."""

    url: str = field(default="", repr=False)
    sender: str = ""


class NotificationSender:
    """Sends by HTTP and SMTP; each attempt ends within the timeout."""

    def __init__(
        self,
        *,
        loop: LoopThread,
        clock: Clock,
        timeout_seconds: float,
        allowed: AllowedNetworks,
        operator_mail: OperatorMail,
    ) -> None:
        self._loop = loop
        self._clock = clock
        self._timeout_seconds = timeout_seconds
        self._allowed = allowed
        self._operator_mail = operator_mail
        self._posts = JsonPosts(clock=clock, timeout_seconds=timeout_seconds, allowed=allowed)

    def send(self, destination: NotificationDestination, notification: Notification) -> JsonObject:
        """Send a notification; return what was answered. Raise DeliveryError when it was not accepted.

        Neither holds a secret of the destination, even where a receiver repeats it.
        """
        hide = partial(hide_secrets, destination.type, destination.config)
        try:
            answer = self._hand_over(destination, notification)
        except DeliveryError as error:
            raise error.reworded(hide(error.message)) from None
        return {**answer, "answer": hide(answer["answer"])}

    def _hand_over(self, destination: NotificationDestination, notification: Notification) -> JsonObject:
        config = destination.config
        match destination.type:
            case NotificationType.SLACK:
                return self._post(config["webhook_url"], renderings.render_slack(notification.message), {})
            case NotificationType.WEBHOOK:
                body = renderings.render_event(notification)
                return self._post(config["target_url"], body, self._sign(config["secret"], notification.id, body))
            case NotificationType.EMAIL:
                return self._mail(config, notification)

    def close(self) -> None:
        """Close every connection; a later notification opens new ones."""
        if (session := self._posts.take_session()) is not None:
            self._loop.submit(session.close()).result()
        self._loop.close()

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> JsonObject:
        answer = self._loop.submit(self._posts.post(url, body, headers, reads_answer=True)).result()
        return {"status_code": answer.status, "answer": answer.excerpt}

    def _sign(self, secret: str, id: str, body: bytes) -> dict[str, str]:
        seconds = int(self._clock.now().timestamp())
        return signatures.sign_headers([secret], encoding="hex", event_id=id, timestamp_seconds=seconds, body=body)

    def _mail(self, config: JsonObject, notification: Notification) -> JsonObject:
        server = self._read_server(config)
        sender = config.get("from") or self._operator_mail.sender
        answer = send_mail(
            server,
            renderings.render_mail(notification, config, sender=sender),
            sender=sender,
            receivers=renderings.list_receivers(config),
            timeout_seconds=self._timeout_seconds,
        )
        return {"status_code": 250, "answer": answer}

    def _read_server(self, config: JsonObject) -> MailServer:
        if "host" not in config:
            return read_server(self._operator_mail.url)
        security = config.get("security", STARTTLS)
        return MailServer(
            host=config["host"],
            port=config.get("port", DEFAULT_PORTS[security]),
            security=security,
            user=config.get("user"),
            password=config.get("password"),
            root_certificate=config.get("root_certificate"),
            allowed=self._allowed,
        )


def read_server(url: str) -> MailServer:
    """Read the operator's address of a mail server, which settings have checked."""
    parts = urlsplit(url)
    security = _SECURITIES[parts.scheme]
    return MailServer(
        host=parts.hostname or "",
        port=parts.port or DEFAULT_PORTS[security],
        security=security,
        user=unquote(parts.username) if parts.username else None,
        password=unquote(parts.password) if parts.password else None,
    )
