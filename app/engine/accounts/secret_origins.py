"""The origins that an account's secrets were given for: no other one gets them, whatever is configured since.

They are those that the integration's addresses come to at the moment when the secrets are entered. An entry without a
scheme is a pattern of hosts, for an address that each call decides anew.
"""

from collections.abc import Iterable, Iterator
from typing import Final
from urllib.parse import urlsplit

from app.engine.accounts import oauth
from app.engine.config.secrets import redact_config
from app.engine.integrations import allowed_hosts
from app.engine.integrations.config import IntegrationConfig, parse_config
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import RecordError, SourceError
from app.engine.redaction import MASK
from app.engine.templating import base_urls
from app.engine.templating.placeholders import Template

CODE: Final = "origin_changed"
# Without the origin: a placeholder may have put a secret into it.
CHANGED: Final = (
    "the account's secrets were given for another origin than its integration leads to now, which gets none of them:"
    " change it back, enter all of them again, or have an operator approve it by 'ferryman account approve-origin'"
)

_OF_CALLS: Final = frozenset({"query", "body", "id"})


def list_origins(config: IntegrationConfig, context: JsonObject) -> frozenset[str]:
    """Return the origins that a config leads an account's requests to, those of its token endpoints among them."""
    return frozenset([*list_address_origins(config.addresses, context), *_list_endpoint_origins(config, context)])


def list_given_hosts(raw: JsonObject, secrets_of: JsonObject) -> list[str] | None:
    """Return the hosts that secrets are given for by entering them while ``raw`` is the config in use.

    None where ``secrets_of``, the config itself or an override that is laid over it, holds none.
    """
    config, _ = parse_config(raw)
    return None if config is None or redact_config(secrets_of) == secrets_of else list(config.hosts.patterns)


def list_address_origins(addresses: Iterable[Template], context: JsonObject) -> Iterator[str]:
    """Yield the origins of base URLs; one whose placeholders have no values yet has none."""
    scope = oauth.build_scope(context)
    for template in addresses:
        if any(path[0] in _OF_CALLS for path in template.references):
            if host := base_urls.find_implied_host(template):
                yield host
            continue
        try:
            yield read_origin(base_urls.resolve_base_url(template, scope, key="base_url")[0])
        except RecordError:
            continue


def read_origin(url: str) -> str:
    """Return a URL's scheme, host and port, the port where it is not the scheme's own."""
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = parts.port if parts.port != allowed_hosts.DEFAULT_PORTS.get(parts.scheme) else None
    return f"{parts.scheme}://{host}" if port is None else f"{parts.scheme}://{host}:{port}"


def is_admitted(given: Iterable[str], url: str) -> bool:
    """Whether secrets that were given for some origins may be sent to a URL."""
    origin = read_origin(url)
    # What was given before patterns had schemes was given for both.
    return any(one == origin or allowed_hosts.is_admitted([one], url, takes_http=True) for one in given)


def check(given: frozenset[str] | None, url: str) -> None:
    """Raise SourceError for a URL that an account's secrets were not given for; None is not known yet."""
    if given is not None and not is_admitted(given, url):
        raise SourceError(CODE, CHANGED)


def keeps_secrets(after: JSON, shown: JSON, sent: JSON) -> bool:
    """Whether a value holds a secret that ``sent``, which was merged into it, has not entered.

    ``shown`` is the same value with its secrets masked; a mask that is sent enters nothing.
    """
    match after, shown:
        case dict(), dict():
            entered: JsonObject = sent if isinstance(sent, dict) else {}
            return any(keeps_secrets(one, shown.get(key), entered.get(key, UNDEFINED)) for key, one in after.items())
        case list(), list():
            sents = [*(sent if isinstance(sent, list) else []), *[UNDEFINED] * len(after)]
            return any(map(keeps_secrets, after, shown, sents))
        case _:
            return after != shown and (sent is UNDEFINED or sent == MASK)


def _list_endpoint_origins(config: IntegrationConfig, context: JsonObject) -> Iterator[str]:
    for grant in config.grants:
        try:
            yield read_origin(oauth.build_token_url(grant, context))
        except RecordError:
            continue
