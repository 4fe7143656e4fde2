"""Which hosts an integration's own secrets are sent to: its ``allowed_hosts``, and those that its addresses name.

A pattern is a host with or without a port: ``api.example.com``, ``*.example.com`` (any name below it), ``10.0.0.1:80``;
``:*`` is any port. One without a scheme and a port is that host by https; ``http://intranet`` is it by http. Where an
address begins with a placeholder, the account chooses the host, so that only ``allowed_hosts`` says which are the
integration's.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import SplitResult, urlsplit

from app.engine.config import non_secrets
from app.engine.config.reader import ConfigReader, show_value
from app.engine.config.secrets import LiteralSecret
from app.engine.errors import Failure
from app.engine.record_errors import SourceError
from app.engine.templating import base_urls
from app.engine.templating.placeholders import Template

KEY: Final = "allowed_hosts"

_LABEL: Final = "[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?"
_PATTERN: Final = re.compile(
    rf"(?:https?://)?(?:\*\.{_LABEL}(?:\.{_LABEL})+|{_LABEL}(?:\.{_LABEL})*|\[[0-9a-f:.]+\])(?::(?:[0-9]{{1,5}}|\*))?",
    re.IGNORECASE,
)
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHosts:
    """The hosts that the secrets which a config holds itself are sent to."""

    patterns: tuple[str, ...] = ()
    guards_requests: bool = False
    """The config holds secrets that go with every request."""
    guards_tokens: bool = False
    """It holds secrets that go to token endpoints, or lists the hosts that may be requested."""
    lacks_patterns: bool = False
    """Accounts alone choose the host of an address that such a secret goes to, so that none is allowed."""
    given: tuple[tuple[str, ...], ...] = ()
    """Those that the secrets were entered for, of the config and of each override that holds some."""

    def check_request(self, url: str) -> None:
        """Raise SourceError for a request that would carry a secret of the config elsewhere."""
        if self.guards_requests:
            self._check(url)

    def check_token_request(self, url: str) -> None:
        """Raise SourceError for a token endpoint elsewhere that would be sent a secret of the config."""
        if self.guards_tokens:
            self._check(url)

    def list_failures(self, path: str) -> list[Failure]:
        """Return what a config lacks before it is stored."""
        if not self.lacks_patterns:
            return []
        message = (
            "is required: accounts choose the host, and the config holds literals that may be secrets; list the hosts"
            f" that may get them, or in {non_secrets.KEY} the names of those that are none"
        )
        return [Failure(f"{path}.{KEY}", message)]

    def _check(self, url: str) -> None:
        # The host is not shown: a placeholder may have put a secret into it.
        if not is_admitted(self.patterns, url):
            hosts = ", ".join(self.patterns) or "none"
            message = (
                f"the host would get secrets that the integration's config holds, and is none of those allowed: {hosts}"
            )
            if is_admitted(self.patterns, url, takes_http=True):
                message += " (a pattern without a scheme and a port is a host by https, and this request is not)"
            raise SourceError("host_not_allowed", message)
        # What was given before patterns had schemes was given for both.
        if not all(is_admitted(patterns, url, takes_http=True) for patterns in self.given):
            message = (
                "the integration's own secrets were given for other hosts than this one, which gets none of them:"
                " change it back, enter all of them again, or have an operator approve it by"
                " 'ferryman integration approve-hosts'"
            )
            raise SourceError("origin_changed", message)


def read_allowed_hosts(
    reader: ConfigReader,
    secrets: Iterable[LiteralSecret],
    *,
    addresses: Iterable[Template],
    tokens: Iterable[Template],
) -> AllowedHosts:
    """Read the patterns of a config that holds some secrets, its requests and token endpoints at some addresses."""
    listed = _read_patterns(reader)
    of_requests, of_tokens = (
        [base_urls.find_implied_host(one) for one in templates] for templates in (addresses, tokens)
    )
    holders = {secret.path[0] for secret in secrets}
    guards_requests, holds_client = bool(holders - {"credentials"}), "credentials" in holders
    is_open = (guards_requests and None in of_requests) or (holds_client and None in of_tokens)
    return AllowedHosts(
        patterns=tuple(sorted({host for host in (*listed, *of_requests, *of_tokens) if host is not None})),
        guards_requests=guards_requests,
        guards_tokens=holds_client or bool(listed),
        lacks_patterns=is_open and not listed,
    )


def is_admitted(patterns: Iterable[str], url: str, *, takes_http: bool = False) -> bool:
    """Whether one of some patterns fits a URL; ``takes_http`` has those without a scheme and a port fit http too."""
    return any(_is_match(pattern, urlsplit(url), takes_http=takes_http) for pattern in patterns)


def _is_match(pattern: str, parts: SplitResult, *, takes_http: bool) -> bool:
    scheme, separator, place = pattern.rpartition("://")
    if separator and scheme != parts.scheme:
        return False
    host, default = (parts.hostname or "").rstrip("."), DEFAULT_PORTS.get(parts.scheme)
    name, mark, wanted = place.rpartition(":")
    if not mark or place.endswith("]"):
        if not (separator or takes_http or parts.scheme == "https"):
            return False
        name, wanted = place, str(default)
    name = name.strip("[]")
    is_host = host.strip(".").endswith(name[1:]) if name.startswith("*.") else host == name
    return is_host and wanted in ("*", str(parts.port or default))


def _read_patterns(reader: ConfigReader) -> tuple[str, ...]:
    value = reader.value.get(KEY)
    if value is None:
        return ()
    if not isinstance(value, list) or not value:
        reader.report(KEY, f"expected a list of hosts such as '*.example.com', found {show_value(value)}")
        return ()
    for position, pattern in enumerate(value):
        if not isinstance(pattern, str) or not _PATTERN.fullmatch(pattern):
            expected = (
                "expected a host such as 'api.example.com', '*.example.com', '10.0.0.1:8443' or 'http://intranet'"
            )
            reader.report(f"{KEY}.{position}", f"{expected}, found {show_value(pattern)}")
    return tuple(pattern.lower() for pattern in value if isinstance(pattern, str))
