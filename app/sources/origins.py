"""Which addresses an upstream may lead to: its own origin only, since requests carry an account's credentials."""

from urllib.parse import SplitResult, quote, urljoin, urlsplit

from app.engine.errors import SourceError

# What may stand in a URL as it is; "%" too, since a part may be encoded already.
_URL_CHARACTERS = "%/:=&?~+!$,;'@()*[]"

_DEFAULT_PORTS = {"http": 80, "https": 443}


def encoded(address: str) -> str:
    """Percent-encode what no URL may hold, such as spaces and letters beyond ASCII, and nothing twice."""
    return quote(address, safe=_URL_CHARACTERS)


def follow(address: str, reference: str) -> str:
    """Resolve a URL, absolute or relative, that an answer of ``address`` named.

    Raises SourceError when it leaves the origin. Between http and https on their default ports it counts as the same,
    and becomes https: servers behind a TLS proxy often print http links.
    """
    try:
        base, target = urlsplit(address), urlsplit(urljoin(address, reference.strip()))
        if _origin(target) == _origin(base):
            return encoded(target._replace(fragment="").geturl())
        if target.hostname == base.hostname and _has_default_port(target) and _has_default_port(base):
            secure = target._replace(scheme="https", netloc=target.hostname or "", fragment="")
            return encoded(secure.geturl())
    except ValueError as error:
        raise SourceError("request", "the upstream named a next address that is not a valid URL") from error
    raise SourceError(
        "request",
        f"the upstream leads from {_name(base)} to {_name(target)}; only its own origin is followed",
    )


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)


def _has_default_port(url: SplitResult) -> bool:
    return url.scheme in _DEFAULT_PORTS and (url.port or _DEFAULT_PORTS[url.scheme]) == _DEFAULT_PORTS[url.scheme]


def _name(url: SplitResult) -> str:
    scheme, host, port = _origin(url)
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"
