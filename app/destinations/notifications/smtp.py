"""Send a mail by SMTP, over TLS whose certificate is verified, within a bounded time.

A host that a user has chosen is connected to only where its addresses may be: each is checked as it is connected to.
"""

import smtplib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.message import EmailMessage
from io import BufferedReader
from typing import Any, Final

from app.engine.errors import DeliveryError
from app.engine.notifications.messages import clean
from app.net.addresses import AllowedNetworks
from app.net.guarded_connections import explain_block

TLS: Final = "tls"
STARTTLS: Final = "starttls"
INSECURE: Final = "insecure"
"""Without TLS: only the operator's own server, such as one on this machine."""
_MOST_ANSWERED_BYTES: Final = 256 * 1024
DEFAULT_PORTS: Final = {TLS: 465, STARTTLS: 587, INSECURE: 25}


@dataclass(frozen=True, slots=True, kw_only=True)
class MailServer:
    """Where mail is handed over, and how."""

    host: str
    port: int
    security: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    root_certificate: str | None = None
    """PEM; None: the authorities of this machine."""
    allowed: AllowedNetworks | None = None
    """None: the operator has chosen the host, which may be anywhere."""


def send_mail(
    server: MailServer, mail: EmailMessage, *, sender: str, receivers: Sequence[str], timeout_seconds: float
) -> str:
    """Hand a mail over; return what the server said. Raise DeliveryError when it took it for none or only for some."""
    try:
        with _session(server, timeout_seconds) as session:
            if server.user is not None:
                session.login(server.user, server.password or "")
            refused = session.send_message(mail, from_addr=sender, to_addrs=list(receivers))
    except TimeoutError as error:
        raise DeliveryError(f"no answer within {timeout_seconds:.0f} s") from error
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise _translate(error) from error
    if refused:
        raise DeliveryError(f"the server refused {len(refused)} of {len(receivers)} addresses")
    return f"accepted for {len(receivers)} addresses"


def _translate(error: Exception) -> DeliveryError:
    """Return what a fault of SMTP or TLS means, without any text of the mail."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = ", ".join(sorted({str(code) for code, _ in error.recipients.values()}))
            return DeliveryError(f"the server refused every address: {codes}")
        case smtplib.SMTPAuthenticationError():
            return DeliveryError(f"the server refused the login: {_describe(error)}", status=error.smtp_code)
        case smtplib.SMTPResponseException():
            answer = f"the server answered {error.smtp_code}: {_describe(error)}"
            return DeliveryError(answer, status=error.smtp_code)
        case smtplib.SMTPNotSupportedError():
            return DeliveryError(f"the server lacks what is needed: {clean(error)}")
        case ssl.SSLCertVerificationError():
            return DeliveryError(f"the server's certificate is not trusted: {clean(error.verify_message)}")
        case _:
            return DeliveryError(f"the server can not be reached: {type(error).__name__}")


@contextmanager
def _session(server: MailServer, timeout_seconds: float) -> Iterator[smtplib.SMTP]:
    """Connect, with TLS; whatever hangs or answers byte by byte is cut off when the time is over."""
    context = ssl.create_default_context(cadata=server.root_certificate)
    session = _Session(server, context, timeout_seconds)
    timer = threading.Timer(timeout_seconds, session.cut_off)
    timer.daemon = True
    timer.start()
    try:
        session.open()
        if server.security == STARTTLS:
            session.starttls(context=context)
        yield session
    except (smtplib.SMTPException, OSError, ValueError) as error:
        if session.is_cut_off:
            raise TimeoutError from error
        raise
    finally:
        timer.cancel()
        with suppress(Exception):
            session.quit()
        session.close()


class _Session(smtplib.SMTP):
    """A session whose connection leads only where it may."""

    def __init__(self, server: MailServer, context: ssl.SSLContext, timeout_seconds: float) -> None:
        # The name is given: to look it up may take long.
        super().__init__(local_hostname=socket.gethostname(), timeout=timeout_seconds)
        self._server = server
        self._context = context
        self._until = time.monotonic() + timeout_seconds
        self.is_cut_off = False
        self._twin: socket.socket | None = None
        """The same connection, whatever TLS is laid over it."""

    def open(self) -> None:
        """Connect, and read the greeting."""
        # What the certificate is compared with, after STARTTLS too.
        self._host = self._server.host
        code, answer = self.connect(self._server.host, self._server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, answer)

    def cut_off(self) -> None:
        """End the connection, from another thread."""
        self.is_cut_off = True
        if self._twin is not None:
            with suppress(OSError):
                self._twin.shutdown(socket.SHUT_RDWR)

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer, of all of which only so much is read."""
        if self.file is None and self.sock is not None:
            self.file = _BoundedAnswers(self.sock.makefile("rb"))
        return super().getreply()

    def close(self) -> None:
        """Close the connection."""
        super().close()
        if self._twin is not None:
            self._twin.close()

    def _get_socket(self, host: str, port: int, timeout: Any) -> Any:  # smtplib's own place for this
        connection = self._connect_allowed(host, port)
        self._twin = connection.dup()
        if self._server.security != TLS:
            return connection
        return self._context.wrap_socket(connection, server_hostname=host)

    def _connect_allowed(self, host: str, port: int) -> socket.socket:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        allowed = self._server.allowed
        usable = [one for one in found if allowed is None or allowed.is_allowed(str(one[4][0]))]
        if not usable:
            raise DeliveryError(explain_block(host), code="blocked_address", is_final=True)
        failure: OSError = OSError("the host has no address")
        for family, kind, protocol, _, address in usable:
            connection = socket.socket(family, kind, protocol)
            connection.settimeout(max(0.1, self._until - time.monotonic()))
            try:
                connection.connect(address)
            except OSError as error:
                connection.close()
                failure = error
            else:
                return connection
        raise failure


class _BoundedAnswers:
    """What a server says in one connection; one that never ends its answer would fill the memory."""

    def __init__(self, file: BufferedReader) -> None:
        self._file = file
        self._left = _MOST_ANSWERED_BYTES

    def readline(self, size: int) -> bytes:
        """Read a line; raise OSError once the server has said too much."""
        line = self._file.readline(size)
        self._left -= len(line)
        if self._left < 0:
            raise OSError("the server answers without end")
        return line

    def close(self) -> None:
        """Close it."""
        self._file.close()


def _describe(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    return clean(text.decode("utf-8", "replace") if isinstance(text, bytes) else text)
