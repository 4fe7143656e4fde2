"""OAuth 2 tokens within an account's context: which one is used, when it is renewed, and where a new one goes.

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
from app.engine.record_errors import SourceError
from app.engine.templating import base_urls, request_paths
from app.engine.templating.placeholders import UNDEFINED, Template
from app.engine.times import iso_utc

EARLY_SECONDS: Final = 60.0
"""A token is renewed so long before it expires: it must outlive the request that carries it."""
LEAST_LIFE_SECONDS: Final = 30.0
"""A token that is refused sooner after its renewal is not renewed again: that would not help."""

_EPOCH_MILLISECONDS: Final = 1e11


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """What is sent to a token endpoint."""

    url: str
    fields: JsonObject = field(repr=False)
    basic: tuple[str, str] | None = field(default=None, repr=False)
    """The client's id and secret, when they travel in a header."""
    is_loosely_encoded: bool = False
    """The header has them as they are, against the standard."""
    is_json: bool = False


def access_token(context: JsonObject) -> str | None:
    """Return the token that requests carry."""
    return _text(_token(context).get("access_token")) or _text(context.get("access_token"))


def refresh_token(context: JsonObject) -> str | None:
    """Return the token that a new one is asked for with."""
    return _text(_token(context).get("refresh_token")) or _text(context.get("refresh_token"))


def usable_grant(grants: Sequence[OAuthGrant], context: JsonObject) -> OAuthGrant | None:
    """Choose how an account's token is renewed; None when it can not be."""
    has_refresh_token = refresh_token(context) is not None
    usable = [grant for grant in grants if grant.kind == "client_credentials" or has_refresh_token]
    return min(usable, key=lambda grant: grant.kind != "refresh_token", default=None)


def is_due(grant: OAuthGrant, context: JsonObject, now: datetime) -> bool:
    """Whether the token should be renewed before it is used again, or asked for the first time."""
    if access_token(context) is None:
        return True
    moment = expires_at(context)
    return moment is not None and moment <= now + timedelta(seconds=EARLY_SECONDS)


def expires_at(context: JsonObject) -> datetime | None:
    """Return when the token expires; None when that is not known."""
    return _moment(_expiry(context))


def was_just_renewed(context: JsonObject, now: datetime) -> bool:
    """Whether the token is so new that a renewal can not be what it lacks."""
    renewed_at = _moment(_token(context).get("renewed_at") or context.get("renewed_at"))
    return renewed_at is not None and now < renewed_at + timedelta(seconds=LEAST_LIFE_SECONDS)


def token_request(grant: OAuthGrant, context: JsonObject) -> TokenRequest:
    """Make the request for a new token; raise PlaceholderError or SourceError when a part of it is missing."""
    scope = scope_of(context)
    params = {} if grant.params is None else grant.params.resolve(scope)
    fields: JsonObject = {"grant_type": grant.kind}
    if grant.kind == "refresh_token":
        fields["refresh_token"] = refresh_token(context)
    elif grant.scope:
        fields["scope"] = _written_scope(grant)
    client = _client(grant, scope, params)
    if not grant.is_client_in_header:
        fields |= {name: value for name, value in client.items() if value}
    return TokenRequest(
        url=token_url(grant, context),
        fields={name: value for name, value in {**fields, **params}.items() if value is not None},
        basic=(client[grant.id_param], client[grant.secret_param]) if grant.is_client_in_header else None,
        is_loosely_encoded=grant.is_loosely_encoded,
        is_json=grant.is_json,
    )


def _client(grant: OAuthGrant, scope: JsonObject, params: JsonObject) -> dict[str, str]:
    """Resolve the client's id and secret, where the request's own fields do not stand for them."""
    client = {grant.id_param: "", grant.secret_param: ""}
    if grant.is_client_in_header or grant.secret_param not in params:
        client[grant.secret_param] = _resolved(grant.client_secret, scope)
    if grant.is_client_in_header or grant.id_param not in params:
        client[grant.id_param] = _resolved(grant.client_id, scope)
        if not client[grant.id_param]:
            raise SourceError("token_endpoint", "no token can be asked for: the client's id is empty")
    return client


def scope_of(context: JsonObject) -> JsonObject:
    """Return what templates see that belong to no call."""
    return {**context, "context": context, "credentials": context.get("credentials", context)}


def token_url(grant: OAuthGrant, context: JsonObject) -> str:
    """Return the token endpoint's address; raise SourceError for one that may not get what is sent there."""
    scope = scope_of(context)
    path, path_query = "", ""
    if (address := grant.address_in(scope)) is None:
        address = grant.token_host
        path, path_query = request_paths.resolved(grant.token_path, scope)
    host, query = base_urls.resolved(address, scope, key="the token endpoint's address")
    request_paths.check(urlsplit(host).path + path)
    grant.hosts.check_token_request(host)
    queries = "&".join(filter(None, (query, path_query)))
    return f"{host}{path}?{queries}" if queries else host + path


def _written_scope(grant: OAuthGrant) -> str:
    return grant.scope if grant.scope_separator == " " else grant.scope_separator.join(_in_order(grant.scope))


def renewed(context: JsonObject, answer: JsonObject, now: datetime) -> JsonObject:
    """Put a token endpoint's answer into a context; a refresh token stays when the answer names no other."""
    if _text(answer.get("access_token")) is None:
        raise SourceError("token_endpoint", "the token endpoint's answer holds no access_token")
    token = {name: value for name, value in answer.items() if value is not None}
    token["renewed_at"] = iso_utc(now)
    seconds = _number(answer.get("expires_in"))
    # An expiry that the answer does not name is unknown, whatever the old token's was.
    token["expires_at"] = token.get("expires_at") if seconds is None else _expires_at(now, seconds)
    kept_at_top = "oauth" not in context and "access_token" in context
    if kept_at_top:
        return {**context, **token}
    oauth = context.get("oauth") if isinstance(context.get("oauth"), dict) else {}
    top = {"access_token": token["access_token"]} if "access_token" in context else {}
    return {**context, **top, "oauth": {**(oauth or {}), "token": {**_token(context), **token}}}


def _expires_at(now: datetime, seconds: float) -> str | None:
    """Return when a token expires; unknown where its life is beyond all calendars, as a moment in milliseconds is."""
    try:
        return iso_utc(now + timedelta(seconds=seconds))
    except OverflowError:
        return None


def missing_scopes(grants: Sequence[OAuthGrant], context: JsonObject) -> list[str]:
    """List the scopes that an integration asks for and that an account's token was not given.

    The token says what it was given in ``scope`` (RFC 6749, section 5.1); where it does not, none is known to lack.
    """
    oauth = context.get("oauth")
    beside = oauth.get("scope") if isinstance(oauth, dict) else None
    given = _scopes(_token(context).get("scope")) or _scopes(beside) or _scopes(context.get("scope"))
    wanted = {scope for grant in grants for scope in _in_order(grant.scope)}
    return sorted(wanted - given) if given else []


def _scopes(value: JSON) -> set[str]:
    """Read scopes as servers write them: a text, parted by spaces or commas, or a list."""
    if isinstance(value, str):
        return set(_in_order(value))
    return {scope for scope in value if isinstance(scope, str)} if isinstance(value, list) else set()


def _in_order(scopes: str) -> list[str]:
    return scopes.replace(",", " ").split()


def _token(context: JsonObject) -> JsonObject:
    oauth = context.get("oauth")
    token = oauth.get("token") if isinstance(oauth, dict) else None
    return token if isinstance(token, dict) else {}


def _expiry(context: JsonObject) -> JSON:
    token = _token(context)
    return token.get("expires_at") if token else context.get("expires_at")


def _moment(value: JSON) -> datetime | None:
    """Read a time in ISO 8601, as HTTP writes it, or in seconds or milliseconds since 1970."""
    number = _number(value)
    try:
        if number is not None:
            return datetime.fromtimestamp(number / (1000 if number > _EPOCH_MILLISECONDS else 1), UTC)
        moment = _date(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=UTC)


def _date(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return parsedate_to_datetime(text)


def _number(value: JSON) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if 0 < number < 1e15 else None


def _text(value: JSON) -> str | None:
    return value if isinstance(value, str) and value else None


def _resolved(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    return "" if value is UNDEFINED or value is None else str(value)
