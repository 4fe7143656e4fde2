"""Build the HTTP request of a call: the integration's templates over the call and the account's context."""

import base64
import importlib.metadata
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, urlsplit

import orjson
from multidict import CIMultiDict

from app.engine.errors import SourceError
from app.engine.integration_config import (
    Authorization,
    BasicAuthorization,
    BearerAuthorization,
    HeaderAuthorization,
    MethodConfig,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.placeholders import UNDEFINED, Template
from app.services.ports import PageCall
from app.sources import origins
from app.sources.exchange import HttpRequest
from app.sources.pagination import PageAsk
from app.sources.redaction import secrets_in


def _version() -> str:
    try:
        return importlib.metadata.version("ferryman")
    except importlib.metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return "dev"


_USER_AGENT = f"ferryman/{_version()}"
_CALL_ROOTS = frozenset({"id", "query", "body"})
_READING_METHODS = frozenset({"list", "get"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDraft:
    """A call with all its templates resolved; what pagination adds is not in it yet."""

    method: str
    url: str
    """Without its query."""
    query: JsonObject = field(repr=False)
    standing_query: JsonObject = field(repr=False)
    """The integration's own part of the query, such as a key, which a next page's address may leave out."""
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(repr=False)
    is_repeatable: bool
    secrets: frozenset[str] = field(repr=False)


def draft(call: PageCall, config: MethodConfig) -> RequestDraft:
    """Resolve a call's templates; raise PlaceholderError for a missing value and SourceError for an unusable one."""
    scope = _scope(call)
    config = config if call.path is None else replace(config, path=Template(call.path, frozenset()))
    path, _, path_query = _path(call, config, scope).partition("?")
    standing_query = _fields(call.config.query, scope)
    used_by_path = {reference[1] for reference in config.path.references if reference[0] == "query" and reference[1:]}
    credentials = _credentials(config.authorization, scope)
    base_url = _base_url(config, scope)
    body = _body(call.body if config.body is None else _resolved(config.body, scope))
    return RequestDraft(
        method=config.http_method,
        url=base_url + path,
        query={
            **standing_query,
            **_fields(config.query, scope),
            **dict(parse_qsl(path_query, keep_blank_values=True)),
            **{name: value for name, value in call.query.items() if name not in used_by_path},
        },
        standing_query=standing_query,
        headers=_headers(_fields(config.headers, scope), credentials, has_body=body is not None),
        body=body,
        is_repeatable=call.method in _READING_METHODS or config.http_method in ("GET", "HEAD"),
        secrets=secrets_in(
            call.context,
            urlsplit(base_url).password,
            [value.partition(" ")[2] or value for value in credentials.values()],
        ),
    )


def finish(drafted: RequestDraft, ask: PageAsk, *, timeout_seconds: float) -> HttpRequest:
    """Add what pagination asks for."""
    if ask.address is None:
        url = _with_query(drafted.url, {**drafted.query, **ask.query})
    else:
        url = _next_address(drafted, ask.address)
    return HttpRequest(
        method=drafted.method,
        url=url,
        headers=drafted.headers,
        body=drafted.body,
        timeout_seconds=timeout_seconds,
        is_repeatable=drafted.is_repeatable,
        secrets=drafted.secrets,
    )


def query_text(query: Mapping[str, JSON]) -> str:
    """Write a query: arrays repeat their name, objects go into brackets, null is left out."""
    pairs = (pair for name, value in query.items() for pair in _pairs(name, value))
    return "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in pairs)


def _scope(call: PageCall) -> JsonObject:
    scope = {
        **call.context,
        "context": call.context,
        "credentials": call.context.get("credentials", call.context),
        "query": {name: value for name, value in call.query.items() if value is not None},
        "body": call.body,
        "id": call.id,
    }
    # What is absent does not resolve, so that an item method without an id is an error, not a request to ".../".
    return {name: value for name, value in scope.items() if value is not None}


def _base_url(config: MethodConfig, scope: JsonObject) -> str:
    url = origins.encoded(str(_resolved(config.base_url, scope)).strip().rstrip("/"))
    try:
        parts = urlsplit(url)
        is_usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_usable = False
    if not is_usable:
        raise SourceError("request", "base_url does not resolve to an http or https address with a host")
    return url


def _path(call: PageCall, config: MethodConfig, scope: JsonObject) -> str:
    """Resolve the path; values from the call are encoded, so that no id can lead to another place."""
    if call.id == "":
        raise SourceError("request", "the id is an empty text")
    roots = {reference[0] for reference in config.path.references}
    # An id is one segment. Other values may be a few, as in "repos/{{query.full_name}}/issues".
    encoded = {root: _encoded(scope[root], "" if root == "id" else "/") for root in roots & _CALL_ROOTS & scope.keys()}
    path = origins.encoded(_text(config.path, {**scope, **encoded})).lstrip("/")
    if not {".", ".."}.isdisjoint(path.partition("?")[0].split("/")):
        raise SourceError("request", "a value makes '.' or '..' a segment of the path")
    return f"/{path}" if path else ""


def _encoded(value: JSON, safe: str) -> JSON:
    match value:
        case str():
            return quote(value, safe=safe)
        case list():
            return [_encoded(item, safe) for item in value]
        case dict():
            return {name: _encoded(item, safe) for name, item in value.items()}
        case _:
            return value


def _credentials(authorization: Authorization | None, scope: JsonObject) -> dict[str, str]:
    match authorization:
        case None:
            return {}
        case BearerAuthorization(token=token):
            return {"Authorization": f"Bearer {_text(token, scope)}"}
        case HeaderAuthorization(name=name, value=value):
            return {_text(name, scope): _text(value, scope)}
        case BasicAuthorization(username=username, password=password):
            pair = f"{_plain(_resolved(username, scope) or '')}:{_plain(_resolved(password, scope) or '')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _headers(configured: JsonObject, credentials: Mapping[str, str], *, has_body: bool) -> CIMultiDict[str]:
    """Put headers together; later ones win, and a null takes one away."""
    headers = CIMultiDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
    if has_body:
        headers["Content-Type"] = "application/json"
    for name, value in {**configured, **credentials}.items():
        if value is None:
            headers.popall(name, None)
        else:
            headers[name] = _plain(value)
    return headers


def _body(body: JSON) -> bytes | None:
    match body:
        case None:
            return None
        case str():
            return body.encode()
        case _:
            try:
                return orjson.dumps(body)
            except TypeError:  # an integer beyond 64 bits
                return json.dumps(body, separators=(",", ":")).encode()


def _next_address(drafted: RequestDraft, address: str) -> str:
    url = origins.follow(drafted.url, address)
    named = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    return _with_query(url, {name: value for name, value in drafted.standing_query.items() if name not in named})


def _with_query(url: str, query: JsonObject) -> str:
    text = query_text(query)
    if not text:
        return url
    return f"{url}{'&' if '?' in url else '?'}{text}"


def _pairs(name: str, value: JSON) -> Iterator[tuple[str, str]]:
    match value:
        case None:
            return
        case list():
            for item in value:
                yield from _pairs(name, item)
        case dict():
            for key, item in value.items():
                yield from _pairs(f"{name}[{key}]", item)
        case _:
            yield name, _plain(value)


def _plain(value: JSON) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _fields(templates: Template | None, scope: JsonObject) -> JsonObject:
    resolved = _resolved(templates, scope) if templates is not None else None
    return resolved if isinstance(resolved, dict) else {}


def _text(template: Template, scope: JsonObject) -> str:
    value = _resolved(template, scope)
    if value is None:
        raise SourceError("request", "a part of the path or of the credentials is null")
    return _plain(value)


def _resolved(template: Template, scope: JsonObject) -> JSON:
    value = template.resolve(scope)
    return None if value is UNDEFINED else value
