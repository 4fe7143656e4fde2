"""Which addresses an upstream may lead to: its own origin only, since requests carry an account's credentials."""

from urllib.parse import SplitResult, urljoin, urlsplit

from app.engine.record_errors import SourceError
from app.engine.templating import request_paths

_DEFAULT_PORTS = {"http": 80, "https": 443}


def follow(address: str, reference: str) -> str:
    """Resolve a URL, absolute or relative, that an answer of ``address`` named.

    Raises SourceError when it leaves the origin. Between http and https on their default ports it counts as the same,
    and becomes https: servers behind a TLS proxy often print http links.
    """
    try:
        base, target = urlsplit(address), urlsplit(urljoin(address, reference.strip()))
        request_paths.check_path(target.path)
        if _origin(target) == _origin(base):
            return request_paths.encode_address(_signed_in(target, base)._replace(fragment="").geturl())
        if target.hostname == base.hostname and _has_default_port(target) and _has_default_port(base):
            secure = target._replace(scheme="https", netloc=target.hostname or "", fragment="")
            return request_paths.encode_address(_signed_in(secure, base).geturl())
    except ValueError as error:
        raise SourceError("request", "the upstream named a next address that is not a valid URL") from error
    raise SourceError(
        "request",
        f"the upstream leads from {_name(base)} to {_name(target)}; only its own origin is followed",
    )


def _signed_in(target: SplitResult, base: SplitResult) -> SplitResult:
    """Return a target the user and password that the base names: no upstream writes them into its links."""
    user, mark, _ = base.netloc.rpartition("@")
    return target if "@" in target.netloc else target._replace(netloc=f"{user}{mark}{target.netloc}")


def _origin(url: SplitResult) -> tuple[str, str | None, int | None]:
    return url.scheme, url.hostname, url.port or _DEFAULT_PORTS.get(url.scheme)


def _has_default_port(url: SplitResult) -> bool:
    return url.scheme in _DEFAULT_PORTS and (url.port or _DEFAULT_PORTS[url.scheme]) == _DEFAULT_PORTS[url.scheme]


def _name(url: SplitResult) -> str:
    scheme, host, port = _origin(url)
    return f"{scheme}://{host}" if port == _DEFAULT_PORTS.get(scheme) else f"{scheme}://{host}:{port}"
