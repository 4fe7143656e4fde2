"""``Forwarded`` (RFC 7239) and ``X-Forwarded-*``: the client's address and URL, as trusted proxies report them.

Each proxy appends what it has seen to the header that it received, so the header is read from the right, as far as
trusted proxies have written it. Values that a client has forged stand to the left of those.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from app.net.addresses import TrustedProxies, parse_address

Environ = dict[str, Any]

_VALUE: Final = r'"(?:[^"\\]|\\.)*"|[^\s",;=]*'
_PAIR: Final = re.compile(rf"\s*+(?:([A-Za-z]++)\s*+=\s*+({_VALUE})\s*+)?([;,]|\Z)")
_HOST: Final = re.compile(r"(?:[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?")
_PREFIX: Final = re.compile(r"(?:/[A-Za-z0-9._~-]+){1,20}")
_PORT: Final = re.compile(r"[0-9]{1,5}")
_MOST_HOPS: Final = 100
"""Hops further to the left are not read: trusted proxies have not written those."""
_SCHEMES: Final = ("http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """What one proxy reports about its client; None where it does not."""

    address: str | None
    scheme: str | None = None
    host: str | None = None


class BehindProxies:
    """Shows the application a request as its client made it, as far as trusted proxies report it."""

    def __init__(self, application: Callable[..., Iterable[bytes]], proxies: TrustedProxies) -> None:
        self._application = application
        self._proxies = proxies

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        """Pass a request on."""
        if self._proxies.is_trusted(environ.get("REMOTE_ADDR", "")):
            self._read(environ)
        return self._application(environ, start_response)

    def _read(self, environ: Environ) -> None:
        standard, usual = _read_standard_hops(environ), _read_usual_hops(environ)
        distance = self._distance(usual)
        clients = [hops[-self._distance(hops)] for hops in (standard, usual) if hops]
        addresses = {hop.address for hop in clients if hop.address is not None}
        if len(addresses) > 1:
            # A proxy writes one of the two headers and forwards the other from the client: which one is not known.
            return
        known = clients[0] if standard else Hop(address=None)
        _apply(environ, replace(known, address=next(iter(addresses), None)), distance)

    def _distance(self, hops: Sequence[Hop]) -> int:
        """Count the hops that trusted proxies have written, from the right; at least one."""
        count = 1
        while count < len(hops) and self._proxies.is_trusted(hops[-count].address or ""):
            count += 1
        return count


def _apply(environ: Environ, client: Hop, distance: int) -> None:
    scheme = client.scheme or _forwarded_value(environ, "PROTO", distance)
    host = client.host or _forwarded_value(environ, "HOST", distance)
    port = _forwarded_value(environ, "PORT", distance)
    prefix = _forwarded_value(environ, "PREFIX", distance)
    if client.address is not None:
        environ["REMOTE_ADDR"] = client.address
    if scheme is not None and scheme.lower() in _SCHEMES:
        environ["wsgi.url_scheme"] = scheme.lower()
    if host is not None and _HOST.fullmatch(host):
        environ["HTTP_HOST"] = host
    if port is not None and _PORT.fullmatch(port):
        environ["HTTP_HOST"] = _with_port(environ, port)
    if prefix is not None and _PREFIX.fullmatch(prefix.rstrip("/")):
        environ["SCRIPT_NAME"] = prefix.rstrip("/") + environ.get("SCRIPT_NAME", "")


def _with_port(environ: Environ, port: str) -> str:
    host: str = environ.get("HTTP_HOST", "")
    usual = {"http": "80", "https": "443"}[environ["wsgi.url_scheme"]]
    has_port = not host or re.search(r":[0-9]+\Z", host) is not None
    return host if has_port or port == usual else f"{host}:{port}"


def _read_standard_hops(environ: Environ) -> Sequence[Hop]:
    """Read ``Forwarded``; a header that is not well-formed is ignored.

    Each pair is matched at one position, so that a forged header takes linear time.
    """
    text, at = environ.get("HTTP_FORWARDED", ""), 0
    hops, pairs = list[Hop](), dict[str, str]()
    while text:
        match = _PAIR.match(text, at)
        if match is None:
            return ()
        if match[1]:
            pairs[match[1].lower()] = _unquote(match[2])
        if match[3] != ";" and pairs:
            hops.append(
                Hop(address=_parse_address(pairs.get("for")), scheme=pairs.get("proto"), host=pairs.get("host"))
            )
            pairs = {}
        if not match[3]:
            return hops
        at = match.end()
    return hops


def _read_usual_hops(environ: Environ) -> Sequence[Hop]:
    return [Hop(address=_parse_address(text)) for text in _split(environ, "FOR")[-_MOST_HOPS:]]


def _forwarded_value(environ: Environ, name: str, distance: int) -> str | None:
    """Read one ``X-Forwarded-`` header as the outermost trusted proxy has written it, or the only value of it."""
    values = _split(environ, name)
    return values[-min(distance, len(values))] if values else None


def _split(environ: Environ, name: str) -> Sequence[str]:
    return [text.strip() for text in environ.get(f"HTTP_X_FORWARDED_{name}", "").split(",") if text.strip()]


def _parse_address(text: str | None) -> str | None:
    """Read ``192.0.2.1``, ``192.0.2.1:80`` or ``[2001:db8::1]:80``; a hidden client has no address."""
    if text is None:
        return None
    bare = text[1:].partition("]")[0] if text.startswith("[") else text
    bare = bare.partition(":")[0] if bare.count(":") == 1 else bare
    address = parse_address(bare)
    return None if address is None else str(address)


def _unquote(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text.startswith('"') else text
