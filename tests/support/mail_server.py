"""A real SMTP server in this process, with TLS from the first byte or by STARTTLS, and a login."""

import asyncio
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

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


@contextmanager
def running_mail_server(authority: Authority, *, is_tls: bool) -> Iterator[MailServer]:
    """Run one on a free port of this machine until the block ends."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    kept = MailServer()
    options: dict[str, Any] = {} if is_tls else {"tls_context": context, "require_starttls": True}
    loop = asyncio.new_event_loop()

    def speak() -> SMTP:
        login: dict[str, Any] = {
            "authenticator": _authenticate,
            "auth_required": not is_tls,
            "auth_require_tls": not is_tls,
        }
        return SMTP(kept, hostname="localhost", loop=loop, **login, **options)

    server = loop.run_until_complete(loop.create_server(speak, "127.0.0.1", 0, ssl=context if is_tls else None))
    kept.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield kept
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(_end_tasks(loop))
        loop.close()


async def _end_tasks(loop: asyncio.AbstractEventLoop) -> None:
    """End what is under way, so that its connections are closed."""
    tasks = asyncio.all_tasks(loop) - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await asyncio.sleep(0)
