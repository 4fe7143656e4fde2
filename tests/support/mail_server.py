"""A real SMTP server in this process, with TLS from the first byte or by STARTTLS, and a login."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from tests.support.tls_tunnel import Authority

USER, PASSWORD = "ferry", "the-password-that-nobody-sees"


@dataclass
class MailServer:
    """Keeps the mails that come, each with the addresses that it was handed over for."""

    port: int = 0
    mails: list[tuple[EmailMessage, list[str]]] = field(default_factory=list)
    answer: str = "250 OK"
    refused: str = ""
    """An address that is not taken."""

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address == self.refused:
            return "550 no such address"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.answer.startswith("250"):
            mail = message_from_bytes(envelope.content, policy=policy.default)
            self.mails.append((mail, list(envelope.rcpt_tos)))
        return self.answer


def _authenticate(server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
    is_known = isinstance(data, LoginPassword) and (data.login, data.password) == (USER.encode(), PASSWORD.encode())
    return AuthResult(success=is_known, handled=False)


class _TlsController(Controller):
    """A controller that tries out by itself whether it can be reached, of a server that speaks TLS or STARTTLS."""

    def __init__(self, handler: Any, context: ssl.SSLContext, *, is_tls: bool) -> None:
        self._context = context
        super().__init__(handler, hostname="127.0.0.1", port=0, ssl_context=context if is_tls else None)
        self._is_tls = is_tls

    def factory(self) -> SMTP:
        options: dict[str, Any] = {} if self._is_tls else {"tls_context": self._context, "require_starttls": True}
        return SMTP(
            self.handler, authenticator=_authenticate, auth_required=True, auth_require_tls=not self._is_tls, **options
        )

    def _trigger_server(self) -> None:
        """Do not connect: a client of the controller's own trusts no certificate of a test."""


@contextmanager
def running_mail_server(authority: Authority, *, is_tls: bool) -> Iterator[MailServer]:
    """Run one on a free port of this machine until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    server = MailServer()
    controller = _TlsController(server, context, is_tls=is_tls)
    controller.start()
    server.port = controller.server.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        controller.stop()
