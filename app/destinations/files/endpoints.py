"""Which addresses an object store may be at: those that a datastore's owner may make this machine connect to.

The clients of stores look names up themselves. Of ``https`` that deceives nobody: whoever a name leads to in the next
moment has to show its certificate, and redirects to ``http`` are refused. Plain ``http`` is for networks that the
operator has listed, and is sent to the very address that was checked.
"""

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.engine.errors import DestinationError
from app.net.addresses import AllowedNetworks, is_public
from app.net.guarded_connections import explain_block

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address that may be connected to."""

    url: str
    is_plain: bool
    """Without TLS."""


def check_endpoint(url: str, allowed: AllowedNetworks) -> Endpoint:
    """Return where to connect to; raise DestinationError where that may not be."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    addresses = _find_addresses(host, parts.port or _PORTS.get(parts.scheme, 443))
    usable = [address for address in addresses if allowed.is_allowed(address)]
    if len(usable) < len(addresses):
        raise DestinationError(explain_block(host), code="blocked_address", is_final=True)
    if parts.scheme != "http":
        return Endpoint(url=url.rstrip("/"), is_plain=False)
    if any(is_public(ip_address(address)) for address in usable):
        message = f"'{host}' is on the internet: its address has to begin with https"
        raise DestinationError(message, code="no_tls", is_final=True)
    return Endpoint(url=_with_address(parts, usable[0]).rstrip("/"), is_plain=True)


def _find_addresses(host: str, port: int) -> Sequence[str]:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DestinationError(f"the host '{host}' is not known to DNS", code="target_away") from error
    return list(dict.fromkeys(str(one[4][0]).partition("%")[0] for one in found))


def _with_address(parts: SplitResult, address: str) -> str:
    host = f"[{address}]" if ":" in address else address
    return parts._replace(netloc=host if parts.port is None else f"{host}:{parts.port}").geturl()
