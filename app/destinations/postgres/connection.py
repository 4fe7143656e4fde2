"""Connect to a foreign Postgres: only where connections may lead, by verified TLS, with nothing of this machine's.

libpq would else read the environment, a password file and a client certificate of whoever runs the daemon.
"""

import os
import socket
import ssl
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

import psycopg

from app.destinations.postgres.faults import explain_faults
from app.engine.errors import DestinationError
from app.engine.json_types import JsonObject
from app.net.addresses import AllowedNetworks, is_public
from app.net.guarded_connections import explain_block

_PORT: Final = 5432
_VERIFYING: Final = frozenset({"verify-ca", "verify-full"})
_OPPORTUNISTIC: Final = frozenset({"disable", "allow", "prefer"})
_ANY_AUTHENTICATION: Final = "password,md5,scram-sha-256,gss,sspi,none"
"""An empty text forbids every one, and without any text the environment counts."""
_CERTIFICATES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/cert.pem",
)
_OWN: Final[dict[str, Any]] = {
    "passfile": os.devnull,
    "sslcertmode": "disable",
    "gssencmode": "disable",
    "application_name": "ferryman",
    "client_encoding": "utf8",
    "connect_timeout": 10,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a database is, and as whom to connect."""

    host: str
    port: int
    database: str
    user: str
    password: str = field(repr=False)
    sslmode: str | None
    """None: verified, unless every address of the host is of a private network that is allowed."""
    root_certificate: str | None = field(default=None, repr=False)


def read_place(config: JsonObject) -> Place:
    """Read the config of a datastore, which is valid."""
    parts = urlsplit(config.get("url", ""))
    asked = dict(parse_qsl(parts.query))
    return Place(
        host=config.get("host") or parts.hostname or "",
        port=config.get("port") or parts.port or _PORT,
        database=config.get("database") or unquote(parts.path.removeprefix("/")),
        user=config.get("user") or unquote(parts.username or ""),
        password=config.get("password") or unquote(parts.password or ""),
        sslmode=config.get("sslmode") or asked.get("sslmode"),
        root_certificate=config.get("root_certificate"),
    )


def connect(place: Place, allowed: AllowedNetworks) -> psycopg.Connection[tuple[Any, ...]]:
    """Connect; raise DestinationError in words."""
    addresses = _find_addresses(place, allowed)
    sslmode = place.sslmode or ("prefer" if not any(is_public(ip_address(one)) for one in addresses) else "verify-full")
    with explain_faults(place.password), _CertificateFile(place, sslmode) as certificates:
        return psycopg.connect(
            **_OWN,
            **certificates.arguments,
            # The name is what a certificate is checked against; the address is what is connected to.
            host=",".join([place.host] * len(addresses)),
            hostaddr=",".join(addresses),
            port=place.port,
            dbname=place.database,
            user=place.user,
            password=place.password,
            sslmode=sslmode,
            require_auth="!password" if sslmode in _OPPORTUNISTIC else _ANY_AUTHENTICATION,
            prepare_threshold=None,
        )


def _find_addresses(place: Place, allowed: AllowedNetworks) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(place.host, place.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        message = f"the host '{place.host}' is not known to DNS"
        raise DestinationError(message, code="target_away") from error
    addresses = list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))
    usable = [address for address in addresses if allowed.is_allowed(address)]
    if not usable:
        raise DestinationError(explain_block(place.host), code="blocked_address", is_final=True)
    return usable


class _CertificateFile:
    """The root certificates as a file, which is all that libpq reads; one's own is removed once there is a session."""

    def __init__(self, place: Place, sslmode: str) -> None:
        self._place = place
        self._sslmode = sslmode
        self._file: str | None = None
        self.arguments: dict[str, Any] = {}

    def __enter__(self) -> "_CertificateFile":
        if self._place.root_certificate:
            handle, self._file = tempfile.mkstemp(prefix="ferryman-", suffix=".pem")
            with os.fdopen(handle, "w") as file:
                file.write(self._place.root_certificate)
            self.arguments = {"sslrootcert": self._file}
        elif self._sslmode in _VERIFYING:
            self.arguments = {"sslrootcert": _find_certificates()}
        else:
            # One in the home directory would have libpq verify by it.
            self.arguments = {"sslrootcert": os.devnull} if self._sslmode in _OPPORTUNISTIC else {}
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            with suppress(FileNotFoundError):
                Path(self._file).unlink()


def _find_certificates() -> str:
    """Return the file with the authorities that this machine trusts."""
    known = ssl.get_default_verify_paths()
    for path in (os.environ.get("SSL_CERT_FILE"), known.cafile, *_CERTIFICATES):
        if path and Path(path).is_file():
            return path
    return "system"
