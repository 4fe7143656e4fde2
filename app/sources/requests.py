"""Build the HTTP request of a call: the integration's templates over the call and the account's context."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from urllib.parse import urlsplit

from app.engine.accounts import secret_origins
from app.engine.field_names import is_secret_name
from app.engine.integrations.config import MethodConfig
from app.engine.integrations.request_formats import SentBody
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import SourceError
from app.engine.redaction import list_credentials, remove_plain
from app.engine.templating import base_urls, request_paths
from app.engine.templating.placeholders import Template
from app.services.ports import PageCall, RawBody
from app.sources.answers import computed_parts
from app.sources.answers.plain_answers import select_credentials
from app.sources.exchange.exchange import HttpRequest
from app.sources.exchange.redaction import collect_secrets
from app.sources.pagination.values import PageRequest
from app.sources.request_parts import authorization, bodies, headers, next_addresses, page_fields
from app.sources.request_parts.drafts import RequestDraft
from app.sources.request_parts.written_queries import WrittenQuery, write_query

_READING_METHODS = frozenset({"list", "get"})
_WRITING = frozenset({"POST", "PUT", "PATCH"})
_NULL = (b"null", "application/json")


def draft(call: PageCall, config: MethodConfig) -> RequestDraft:
    """Resolve a call's templates; raise PlaceholderError for a missing value and SourceError for an unusable one."""
    if call.id == "":
        raise SourceError("request", "the id is an empty text")
    raw_body = _check_raw_body(call, config)
    scope = _build_scope(call)
    config = config if call.path is None else replace(config, path=Template(call.path, frozenset()))
    base_url, base_query = base_urls.resolve_base_url(config.base_url, scope, key="base_url")
    path, path_query = request_paths.resolve_path(config.path, scope)
    request_paths.check_path(urlsplit(base_url).path + path)
    call.config.hosts.check_request(base_url)
    secret_origins.check(call.origins, base_url)
    credentials = authorization.build_headers(config.authorization, scope)
    sent_headers = {**_resolve_fields(config.headers, scope), **call.headers}
    at_base, in_path = WrittenQuery.read(base_query), WrittenQuery.read(path_query)
    standing = _resolve_fields(call.config.query, scope)
    below, above = _split_query(call, config, scope)
    query = {**at_base.values(), **standing, **below, **in_path.values(), **above}
    sent_secrets = call.config.secrets | _collect_sent(base_url, credentials, [*sent_headers.items(), *query.items()])
    return RequestDraft(
        method=config.http_method,
        url=base_url + path,
        query=query,
        standing_query={**at_base.values(), **standing},
        written=(at_base.without({*standing, *below, *in_path.values(), *above}), in_path.without(above)),
        headers={**sent_headers, **credentials},
        body=_build_body(call, config, scope),
        raw_body=raw_body,
        is_null_sent=config.sent_body is SentBody.NULL,
        formats=config.formats,
        error_expression=config.error_expression,
        sign=authorization.build_signer(config.authorization, call.context),
        is_repeatable=_is_repeatable(call, config),
        secrets=sent_secrets | collect_secrets(remove_plain(call.context, call.plain_paths)),
        credentials=select_credentials(
            sent_secrets | collect_secrets(*list_credentials(call.context, call.config.secret_fields))
        ),
        context=call.context,
    )


def finish(drafted: RequestDraft, ask: PageRequest, *, timeout_seconds: float) -> HttpRequest:
    """Add what pagination asks for."""
    query = {**drafted.query, **ask.query}
    if ask.address is None:
        written = [one.without(ask.query) for one in drafted.written]
        url = next_addresses.add_query(drafted.url, write_query(query, written, drafted.formats.arrays))
    else:
        url = next_addresses.build_url(drafted, ask.address)
    payload = page_fields.merge_fields(drafted.body, ask.body, drafted.formats)
    is_null = drafted.is_null_sent and payload is None
    body, content_type = _NULL if is_null else bodies.write_body(payload, drafted.formats)
    sent_headers, signed = {**drafted.headers, **ask.headers}, {}
    if drafted.raw_body is not None:
        body, content_type = drafted.raw_body.content, drafted.raw_body.content_type
        # An integration's own type is that of its JSON.
        sent_headers = {name: value for name, value in sent_headers.items() if name.lower() != "content-type"}
    if drafted.sign is not None:
        options = {"method": drafted.method, "headers": sent_headers, "body": payload, "query": query}
        signed = drafted.sign({"url": url, "requestOptions": options})
    signed_secrets = collect_secrets(*(authorization.extract_credential(text) for text in signed.values()))
    return HttpRequest(
        method=drafted.method,
        url=url,
        headers=headers.build_headers({**sent_headers, **signed}, content_type),
        body=body,
        timeout_seconds=timeout_seconds,
        is_repeatable=drafted.is_repeatable,
        error_expression=drafted.error_expression,
        secrets=drafted.secrets | signed_secrets,
        credentials=drafted.credentials | select_credentials(signed_secrets),
        context=drafted.context,
    )


def _check_raw_body(call: PageCall, config: MethodConfig) -> RawBody | None:
    """Return the body that is sent as it came; raise SourceError where the method makes its body itself."""
    if call.raw_body is not None and config.body is not None:
        message = "the integration's config makes the body of this method: send JSON, which its placeholders read"
        raise SourceError("request", message)
    return call.raw_body


def _build_body(call: PageCall, config: MethodConfig, scope: JsonObject) -> JSON:
    if config.sent_body in (SentBody.NOTHING, SentBody.NULL):
        return None
    body = call.body if config.body is None else _resolve(config.body, scope)
    if config.sent_body is SentBody.WITH_QUERY and config.http_method in _WRITING:
        asked = {name: value for name, value in call.query.items() if name not in config.query_keys_in_path}
        return page_fields.merge_fields(body, asked, config.formats)
    return body


def _collect_sent(base_url: str, credentials: Mapping[str, str], fields: Sequence[tuple[str, JSON]]) -> frozenset[str]:
    return collect_secrets(
        urlsplit(base_url).password,
        [authorization.extract_credential(value) for value in credentials.values()],
        # What a caller sends, such as an API key in a query.
        [value for name, value in fields if is_secret_name(name)],
    )


def _is_repeatable(call: PageCall, config: MethodConfig) -> bool:
    return config.is_read or call.method in _READING_METHODS or config.http_method in ("GET", "HEAD")


def _split_query(call: PageCall, config: MethodConfig, scope: JsonObject) -> tuple[JsonObject, JsonObject]:
    """Return what the method and the call ask for: what the path's own query replaces, and what replaces that."""
    if isinstance(config.query, Expression):
        return {}, computed_parts.compute_query(config.query, call, scope)
    asked = {name: value for name, value in call.query.items() if name not in config.query_keys_in_path}
    return _resolve_fields(config.query, scope), asked


def _build_scope(call: PageCall) -> JsonObject:
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


def _resolve_fields(templates: Template | None, scope: JsonObject) -> JsonObject:
    resolved = _resolve(templates, scope) if templates is not None else None
    return resolved if isinstance(resolved, dict) else {}


def _resolve(template: Template, scope: JsonObject) -> JSON:
    value = template.resolve(scope)
    return None if value is UNDEFINED else value
