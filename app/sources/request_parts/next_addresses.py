"""Addresses of next pages: the parameters that they lack, and the secrets in them."""

from collections.abc import Mapping
from urllib.parse import quote, unquote_plus, urlsplit

from app.engine.json_types import JSON, JsonObject
from app.sources.exchange import origins
from app.sources.request_parts.bodies import to_text
from app.sources.request_parts.drafts import RequestDraft
from app.sources.request_parts.written_queries import WrittenQuery, write_query


def build_url(drafted: RequestDraft, address: str) -> str:
    """Return the URL of a next page: as the upstream wrote it, with the standing parameters that it lacks."""
    url = origins.follow(drafted.url, address)
    named = {name for name, _ in WrittenQuery.read(urlsplit(url).query).pairs}
    standing = {**drafted.standing_query, **_find_secret_parameters(drafted)}
    missing = {name: value for name, value in standing.items() if name not in named}
    return add_query(url, write_query(missing, drafted.written, drafted.formats.arrays))


def add_query(url: str, text: str) -> str:
    """Add a query to a URL."""
    return f"{url}{'&' if '?' in url else '?'}{text}" if text else url


def remove_secrets(drafted: RequestDraft, value: JSON) -> JSON:
    """Remove the secrets from a next page's address, which is stored: ``build_url`` adds them again."""
    if not isinstance(value, str):
        return value
    return _remove_secret_parameters(drafted, _remove_secret_path(drafted, value))


def _find_secret_parameters(drafted: RequestDraft) -> JsonObject:
    """Return the parameters of a query whose value is a secret of the account."""
    return {name: value for name, value in drafted.query.items() if isinstance(value, str) and value in drafted.secrets}


def _remove_secret_parameters(drafted: RequestDraft, address: str) -> str:
    if "?" not in address:
        return address
    secret = {name: quote(to_text(value), safe="") for name, value in _find_secret_parameters(drafted).items()}
    head, _, query = address.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if not _is_secret_pair(pair, secret)]
    return address if len(kept) == len(pairs) else f"{head}?{'&'.join(kept)}"


def _is_secret_pair(pair: str, secret: Mapping[str, str]) -> bool:
    name, _, value = pair.partition("=")
    expected = secret.get(unquote_plus(name))
    return expected is not None and quote(unquote_plus(value), safe="") == expected


def _remove_secret_path(drafted: RequestDraft, address: str) -> str:
    """Make an address relative to the request's own where its path or its user part holds a secret."""
    head, mark, query = address.partition("?")
    try:
        parts, own = urlsplit(head), urlsplit(drafted.url).path
    except ValueError:
        return address
    path, user = parts.path, parts.netloc.rpartition("@")[0]
    if not any(secret in path or secret in user for secret in drafted.secrets):
        return address
    folder = own[: own.rfind("/") + 1]
    if not folder or not path.startswith(folder):
        return address
    return f"?{query}" if path == own and mark else f"./{path[len(folder) :]}{mark}{query}"
