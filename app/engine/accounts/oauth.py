"""OAuth 2 tokens within an account's context: which one is used, when it is renewed, and where a new one is kept.

A context keeps its token at ``oauth.token`` (``access_token``, ``refresh_token``, ``expires_at``), or the same keys at
its top level.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from app.engine.integrations.credentials import OAuthGrant
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import SourceError
from app.engine.templating import base_urls, request_paths
from app.engine.templating.placeholders import Template
from app.engine.times import format_utc

EARLY_SECONDS: Final = 60.0
"""A token is renewed this long before it expires: it must outlive the request that carries it."""
LEAST_LIFE_SECONDS: Final = 30.0
"""A token that is refused sooner after its renewal is not renewed again: that would not help."""

_EPOCH_MILLISECONDS: Final = 1e11


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """A request to a token endpoint."""

    url: str
    fields: JsonObject = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    """The client's id and secret, when they travel in a header."""
    is_loosely_encoded: bool = False
    """The header has them as they are, against the standard."""
    is_json: bool = False


def find_access_token(context: JsonObject) -> str | None:
    """Return the token that requests carry."""
    return _text_or_none(_find_token(context).get("access_token")) or _text_or_none(context.get("access_token"))


def find_refresh_token(context: JsonObject) -> str | None:
    """Return the token by which a new one is requested."""
    return _text_or_none(_find_token(context).get("refresh_token")) or _text_or_none(context.get("refresh_token"))


def choose_grant(grants: Sequence[OAuthGrant], context: JsonObject) -> OAuthGrant | None:
    """Choose how an account's token is renewed; None when it can not be."""
    has_refresh_token = find_refresh_token(context) is not None
    usable = [grant for grant in grants if grant.kind == "client_credentials" or has_refresh_token]
    return min(usable, key=lambda grant: grant.kind != "refresh_token", default=None)


def is_due(grant: OAuthGrant, context: JsonObject, now: datetime) -> bool:
    """Whether the token should be renewed before it is used again, or requested for the first time."""
    if find_access_token(context) is None:
        return True
    moment = read_expiry(context)
    return moment is not None and moment <= now + timedelta(seconds=EARLY_SECONDS)


def read_expiry(context: JsonObject) -> datetime | None:
    """Return when the token expires; None when that is not known."""
    return _read_moment(_find_expiry(context))


def was_just_renewed(context: JsonObject, now: datetime) -> bool:
    """Whether the token is so new that a renewal can not be what it lacks."""
    renewed_at = _read_moment(_find_token(context).get("renewed_at") or context.get("renewed_at"))
    return renewed_at is not None and now < renewed_at + timedelta(seconds=LEAST_LIFE_SECONDS)


def build_token_request(grant: OAuthGrant, context: JsonObject) -> TokenRequest:
    """Make the request for a new token; raise PlaceholderError or SourceError when a part of it is missing."""
    scope = build_scope(context)
    params = {} if grant.params is None else grant.params.resolve(scope)
    fields: JsonObject = {"grant_type": grant.kind}
    if grant.kind == "refresh_token":
        fields["refresh_token"] = find_refresh_token(context)
    elif grant.scope:
        separator = grant.scope_separator
        fields["scope"] = grant.scope if separator == " " else separator.join(_split_scopes(grant.scope))
    client = _resolve_client(grant, scope, params)
    if not grant.is_client_in_header:
        fields |= {name: value for name, value in client.items() if value}
    return TokenRequest(
        url=build_token_url(grant, context),
        fields={name: value for name, value in {**fields, **params}.items() if value is not None},
        basic=(client[grant.id_param], client[grant.secret_param]) if grant.is_client_in_header else None,
        is_loosely_encoded=grant.is_loosely_encoded,
        is_json=grant.is_json,
    )


def _resolve_client(grant: OAuthGrant, scope: JsonObject, params: JsonObject) -> dict[str, str]:
    """Resolve the client's id and secret, unless the request's own fields replace them."""
    client = {grant.id_param: "", grant.secret_param: ""}
    if grant.is_client_in_header or grant.secret_param not in params:
        client[grant.secret_param] = _resolve_text(grant.client_secret, scope)
    if grant.is_client_in_header or grant.id_param not in params:
        client[grant.id_param] = _resolve_text(grant.client_id, scope)
        if not client[grant.id_param]:
            raise SourceError("token_endpoint", "no token can be asked for: the client's id is empty")
    return client


def build_scope(context: JsonObject) -> JsonObject:
    """Return what templates see that belong to no call."""
    return {**context, "context": context, "credentials": context.get("credentials", context)}


def build_token_url(grant: OAuthGrant, context: JsonObject) -> str:
    """Return the token endpoint's address; raise SourceError for one that may not get what is sent there."""
    scope = build_scope(context)
    path, path_query = "", ""
    if (address := grant.find_address(scope)) is None:
        address = grant.token_host
        path, path_query = request_paths.resolve_path(grant.token_path, scope)
    host, query = base_urls.resolve_base_url(address, scope, key="the token endpoint's address")
    request_paths.check_path(urlsplit(host).path + path)
    grant.hosts.check_token_request(host)
    queries = "&".join(filter(None, (query, path_query)))
    return f"{host}{path}?{queries}" if queries else host + path


def merge_token(context: JsonObject, answer: JsonObject, now: datetime) -> JsonObject:
    """Put a token endpoint's answer into a context; a refresh token stays when the answer names no other."""
    if _text_or_none(answer.get("access_token")) is None:
        raise SourceError("token_endpoint", "the token endpoint's answer holds no access_token")
    token = {name: value for name, value in answer.items() if value is not None}
    token["renewed_at"] = format_utc(now)
    seconds = _read_number(answer.get("expires_in"))
    # An expiry that the answer does not name is unknown, whatever the old token's was.
    token["expires_at"] = token.get("expires_at") if seconds is None else _compute_expiry(now, seconds)
    kept_at_top = "oauth" not in context and "access_token" in context
    if kept_at_top:
        return {**context, **token}
    oauth = context.get("oauth") if isinstance(context.get("oauth"), dict) else {}
    top = {"access_token": token["access_token"]} if "access_token" in context else {}
    return {**context, **top, "oauth": {**(oauth or {}), "token": {**_find_token(context), **token}}}


def _compute_expiry(now: datetime, seconds: float) -> str | None:
    """Return when a token expires; unknown where its life is beyond all calendars, as a moment in milliseconds is."""
    try:
        return format_utc(now + timedelta(seconds=seconds))
    except OverflowError:
        return None


def list_missing_scopes(grants: Sequence[OAuthGrant], context: JsonObject) -> list[str]:
    """List the scopes that an integration requests and that an account's token does not have.

    The token says what it was given in ``scope`` (RFC 6749, section 5.1); where it does not, none is known to lack.
    """
    oauth = context.get("oauth")
    beside = oauth.get("scope") if isinstance(oauth, dict) else None
    given = (
        _read_scopes(_find_token(context).get("scope")) or _read_scopes(beside) or _read_scopes(context.get("scope"))
    )
    wanted = {scope for grant in grants for scope in _split_scopes(grant.scope)}
    return sorted(wanted - given) if given else []


def _read_scopes(value: JSON) -> set[str]:
    """Read scopes as servers write them: a text, separated by spaces or commas, or a list."""
    if isinstance(value, str):
        return set(_split_scopes(value))
    return {scope for scope in value if isinstance(scope, str)} if isinstance(value, list) else set()


def _split_scopes(scopes: str) -> list[str]:
    return scopes.replace(",", " ").split()


def _find_token(context: JsonObject) -> JsonObject:
    oauth = context.get("oauth")
    token = oauth.get("token") if isinstance(oauth, dict) else None
    return token if isinstance(token, dict) else {}


def _find_expiry(context: JsonObject) -> JSON:
    token = _find_token(context)
    return token.get("expires_at") if token else context.get("expires_at")


def _read_moment(value: JSON) -> datetime | None:
    """Read a time in ISO 8601, as HTTP writes it, or in seconds or milliseconds since 1970."""
    number = _read_number(value)
    try:
        if number is not None:
            return datetime.fromtimestamp(number / (1000 if number > _EPOCH_MILLISECONDS else 1), UTC)
        moment = _parse_date(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _parse_date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _read_number(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < 1e15 else None


def _text_or_none(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def _resolve_text(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    return "" if value is UNDEFINED or value is None else str(value)
