"""TLS before a server that has none: an authority of one's own, and a tunnel with its certificate."""

import asyncio
import ssl
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_SSL_REQUEST: Final = bytes.fromhex("0000000804d2162f")
Reach: TypeAlias = Callable[[], Coroutine[Any, Any, tuple[asyncio.StreamReader, asyncio.StreamWriter]]]


@dataclass(frozen=True, slots=True)
class Authority:
    """One certificate that is its own authority, for one host."""

    certificate: Path
    key: Path

    @classmethod
    def new(cls, directory: Path, *, host: str) -> Self:
        """Make one."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        now = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=2))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        made = cls(directory / "certificate.pem", directory / "key.pem")
        made.certificate.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        made.key.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return made


@contextmanager
def running_tunnel(authority: Authority, server: Path) -> Iterator[int]:
    """Lead connections to a port of this machine, which is given, to a server's socket until the block ends."""
    context = _context(authority)

    async def listen() -> asyncio.Server:
        lead = partial(_lead, partial(asyncio.open_unix_connection, str(server)))
        return await asyncio.start_server(lead, "127.0.0.1", 0, ssl=context)

    with _listening(listen) as port:
        yield port


@contextmanager
def running_postgres_tls(authority: Authority, port: int) -> Iterator[int]:
    """As ``running_tunnel``, for a Postgres on a port: TLS begins where its protocol asks for it."""
    context = _context(authority)
    reach = partial(asyncio.open_connection, "127.0.0.1", port)

    async def lead(client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, asyncio.IncompleteReadError):
                assert await client.readexactly(8) == _SSL_REQUEST
                answers.write(b"S")
                await answers.start_tls(context)
                await _lead(reach, client, answers)
        finally:
            answers.transport.abort()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lead, "127.0.0.1", 0)

    with _listening(listen) as listening:
        yield listening


def _context(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority.certificate, authority.key)
    return context


@contextmanager
def _listening(listen: Callable[[], Coroutine[Any, Any, asyncio.Server]]) -> Iterator[int]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        listener = asyncio.run_coroutine_threadsafe(listen(), loop).result(10)
        try:
            yield int(listener.sockets[0].getsockname()[1])
        finally:
            asyncio.run_coroutine_threadsafe(_end(listener), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=10)
        loop.close()


async def _end(listener: asyncio.Server) -> None:
    listener.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
    for _ in range(3):
        # Sockets are closed by a later turn of the loop.
        await asyncio.sleep(0)


async def _lead(reach: Reach, client: asyncio.StreamReader, answers: asyncio.StreamWriter) -> None:
    from_server, to_server = await reach()
    ways = [asyncio.create_task(_copy(client, to_server)), asyncio.create_task(_copy(from_server, answers))]
    # The tunnel's end cancels it, which is none of its caller's business.
    with suppress(asyncio.CancelledError):
        await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
    for way in ways:
        way.cancel()
    for end in (to_server, answers):
        end.transport.abort()


async def _copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()
