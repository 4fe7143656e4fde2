"""Build the HTTP request of a call: the integration's templates over the call and the account's context."""

import base64
import importlib.metadata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl, quote, unquote_plus, urlsplit

from multidict import CIMultiDict

from app.engine.errors import ExpressionError, SourceError
from app.engine.expressions import Expression
from app.engine.integration_config import (
    Authorization,
    BasicAuthorization,
    BearerAuthorization,
    ComputedAuthorization,
    HeaderAuthorization,
    MethodConfig,
)
from app.engine.json_types import JSON, JsonObject
from app.engine.placeholders import UNDEFINED, Template
from app.engine.redaction import is_secret_name
from app.engine.request_formats import RequestFormats
from app.services.ports import PageCall
from app.sources import bodies, computed_parts, origins
from app.sources.bodies import plain
from app.sources.exchange import HttpRequest
from app.sources.pagination.values import PageAsk
from app.sources.redaction import masked, secrets_in


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
    headers: JsonObject = field(repr=False)
    """A null takes a standing one away."""
    body: JSON = field(repr=False)
    formats: RequestFormats
    error_expression: Expression | None
    sign: Callable[[JsonObject], JsonObject] | None = field(repr=False)
    """Makes further headers of the finished request."""
    is_repeatable: bool
    secrets: frozenset[str] = field(repr=False)
    context: JsonObject = field(repr=False)


def draft(call: PageCall, config: MethodConfig) -> RequestDraft:
    """Resolve a call's templates; raise PlaceholderError for a missing value and SourceError for an unusable one."""
    scope = _scope(call)
    config = config if call.path is None else replace(config, path=Template(call.path, frozenset()))
    path, _, path_query = _path(call, config, scope).partition("?")
    standing_query = _fields(call.config.query, scope)
    credentials = _credentials(config.authorization, scope)
    base_url = _base_url(config, scope)
    body = call.body if config.body is None else _resolved(config.body, scope)
    headers = {**_fields(config.headers, scope), **call.headers}
    query = {
        **standing_query,
        **_method_query(call, config, scope, dict(parse_qsl(path_query, keep_blank_values=True))),
    }
    return RequestDraft(
        method=config.http_method,
        url=base_url + path,
        query=query,
        standing_query=standing_query,
        headers={**headers, **credentials},
        body=body,
        formats=config.formats,
        error_expression=config.error_expression,
        sign=_signer(config.authorization, call.context),
        is_repeatable=call.method in _READING_METHODS or config.http_method in ("GET", "HEAD"),
        secrets=secrets_in(
            call.context,
            urlsplit(base_url).password,
            [_credential(value) for value in credentials.values()],
            # Literal secrets of the integration itself, such as an API key in a header.
            [value for name, value in [*headers.items(), *query.items()] if is_secret_name(name)],
        ),
        context=call.context,
    )


def finish(drafted: RequestDraft, ask: PageAsk, *, timeout_seconds: float) -> HttpRequest:
    """Add what pagination asks for."""
    query = {**drafted.query, **ask.query}
    if ask.address is None:
        url = _with_query(drafted.url, query, drafted.formats)
    else:
        url = _next_address(drafted, ask.address)
    payload = {**drafted.body, **ask.body} if isinstance(drafted.body, dict) and ask.body else ask.body or drafted.body
    body, content_type = bodies.written(payload, drafted.formats)
    headers, signed = {**drafted.headers, **ask.headers}, {}
    if drafted.sign is not None:
        options = {"method": drafted.method, "headers": headers, "body": payload, "query": query}
        signed = drafted.sign({"url": url, "requestOptions": options})
    return HttpRequest(
        method=drafted.method,
        url=url,
        headers=_headers({**headers, **signed}, content_type),
        body=body,
        timeout_seconds=timeout_seconds,
        is_repeatable=drafted.is_repeatable,
        error_expression=drafted.error_expression,
        secrets=drafted.secrets | secrets_in(*(_credential(text) for text in signed.values())),
        context=drafted.context,
    )


def _method_query(call: PageCall, config: MethodConfig, scope: JsonObject, in_path: Mapping[str, str]) -> JsonObject:
    """Lay the call's query over the path's and the method's; or give what an expression makes of the call's."""
    if isinstance(config.query, Expression):
        return {**in_path, **computed_parts.query(config.query, call, scope)}
    asked = {name: value for name, value in call.query.items() if name not in config.query_keys_in_path}
    return {**_fields(config.query, scope), **in_path, **asked}


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
        case ComputedAuthorization():
            return {}
        case BearerAuthorization(token=token):
            return {"Authorization": f"Bearer {_text(token, scope)}"}
        case HeaderAuthorization(name=name, value=value):
            return {_text(name, scope): _text(value, scope)}
        case BasicAuthorization(username=username, password=password):
            pair = f"{plain(_resolved(username, scope) or '')}:{plain(_resolved(password, scope) or '')}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _signer(authorization: Authorization | None, context: JsonObject) -> Callable[[JsonObject], JsonObject] | None:
    """Give what makes the headers of an integration whose authorization is an expression."""
    if not isinstance(authorization, ComputedAuthorization):
        return None
    expression = authorization.expression

    def sign(request: JsonObject) -> JsonObject:
        try:
            made = expression.evaluate({**request, "context": context})
        except ExpressionError as error:
            message = f"authorization.expression can not be evaluated: {error.message}"
            raise SourceError("expression", masked(message, secrets_in(context))) from error
        if not isinstance(made, dict) or not all(isinstance(value, str) for value in made.values()):
            raise SourceError("expression", "authorization.expression gave no object of texts")
        return made

    return sign


def _credential(header: str) -> str:
    """Give what is secret of a header: the token of ``Bearer <token>``."""
    return header.partition(" ")[2] or header


def _headers(configured: JsonObject, content_type: str) -> CIMultiDict[str]:
    """Put headers together; later ones win, and a null takes one away."""
    headers = CIMultiDict({"Accept": "application/json", "User-Agent": _USER_AGENT})
    if content_type:
        headers["Content-Type"] = content_type
    for name, value in configured.items():
        if value is None:
            headers.popall(name, None)
        else:
            headers[name] = plain(value)
    return headers


def _next_address(drafted: RequestDraft, address: str) -> str:
    url = origins.follow(drafted.url, address)
    named = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    standing = {**drafted.standing_query, **_secret_parameters(drafted)}
    missing = {name: value for name, value in standing.items() if name not in named}
    return _with_query(url, missing, drafted.formats)


def without_secrets(drafted: RequestDraft, cursor: JsonObject | None) -> JsonObject | None:
    """Take what of a next page's address is secret out of its cursor, which is stored: ``finish`` adds it again."""
    address = cursor["next"] if cursor is not None and "next" in cursor else None
    if cursor is None or not isinstance(address, str) or "?" not in address:
        return cursor
    secret = {name: quote(plain(value), safe="") for name, value in _secret_parameters(drafted).items()}
    head, _, query = address.partition("?")
    pairs = query.split("&")
    kept = [pair for pair in pairs if not _is_secret_pair(pair, secret)]
    if len(kept) == len(pairs):
        return cursor
    return {**cursor, "next": f"{head}?{'&'.join(kept)}"}


def _secret_parameters(drafted: RequestDraft) -> JsonObject:
    """Give the parameters of a query that are as they stand a secret of the account."""
    return {name: value for name, value in drafted.query.items() if isinstance(value, str) and value in drafted.secrets}


def _is_secret_pair(pair: str, secret: Mapping[str, str]) -> bool:
    name, _, value = pair.partition("=")
    expected = secret.get(unquote_plus(name))
    return expected is not None and quote(unquote_plus(value), safe="") == expected


def _with_query(url: str, query: JsonObject, formats: RequestFormats) -> str:
    text = bodies.query_text(query, formats.arrays)
    if not text:
        return url
    return f"{url}{'&' if '?' in url else '?'}{text}"


def _fields(templates: Template | None, scope: JsonObject) -> JsonObject:
    resolved = _resolved(templates, scope) if templates is not None else None
    return resolved if isinstance(resolved, dict) else {}


def _text(template: Template, scope: JsonObject) -> str:
    value = _resolved(template, scope)
    if value is None:
        raise SourceError("request", "a part of the path or of the credentials is null")
    return plain(value)


def _resolved(template: Template, scope: JsonObject) -> JSON:
    value = template.resolve(scope)
    return None if value is UNDEFINED else value
