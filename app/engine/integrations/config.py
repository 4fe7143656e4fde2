"""An integration's config (docs/wire.md A9): how one third-party API is called, checked whole and typed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from app.engine.config import non_secrets
from app.engine.config.reader import ConfigReader, show_value
from app.engine.config.secrets import RECORDS_SCHEMA, list_literal_secrets
from app.engine.errors import Failure
from app.engine.integrations import request_formats, response_paths
from app.engine.integrations.allowed_hosts import AllowedHosts, read_allowed_hosts
from app.engine.integrations.authorization import (
    Authorization,
    read_authorization,
)
from app.engine.integrations.credentials import OAuthGrant, read_grants
from app.engine.integrations.pagination import (
    Pagination,
    read_pagination,
)
from app.engine.integrations.rate_limit import RateLimitConfig, read_rate_limit
from app.engine.integrations.request_formats import (
    ArrayFormat,
    BodyFormat,
    RequestFormats,
    SentBody,
    read_formats,
    read_sent_body,
)
from app.engine.integrations.response_paths import ResponsePath, read_response_path
from app.engine.json_schema.validators import find_schema_fault
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression
from app.engine.partitions.partition import Partition, read_partition
from app.engine.paths import Path
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey, read_key
from app.engine.templating import placeholders
from app.engine.templating.placeholders import Template

_HTTP_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

# What a resource that the config does not list is taken to offer: the usual REST routes.
_REST_ROUTES: Final[Mapping[str, tuple[str, str]]] = {
    "list": ("GET", "/{resource}"),
    "get": ("GET", "/{resource}/{{id}}"),
    "create": ("POST", "/{resource}"),
    "update": ("PATCH", "/{resource}/{{id}}"),
    "delete": ("DELETE", "/{resource}/{{id}}"),
}
_CUSTOM_ROUTE: Final = ("GET", "/{resource}")
PASSED_ON: Final = "custom"
"""The name of the resource that calls of any path count as."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodConfig:
    """One method of one resource, everything that it inherits merged in."""

    path: Template
    http_method: str
    base_url: Template
    headers: Template | None
    """Resolves to an object; a null takes an inherited or standing header away."""
    query: Template | Expression | None
    """An expression computes the whole query from the call's."""
    body: Template | None
    """Replaces the call's body when it is set."""
    response_path: ResponsePath | None
    """Where the records are; a path's key that is marked may be absent where there are none."""
    pagination: Pagination | None
    authorization: Authorization | None
    sent_body: SentBody = SentBody.AS_IT_IS
    key: RecordKey = BY_ID
    """The key of its records."""
    timeout_seconds: float | None = None
    is_read: bool = False
    """It changes nothing upstream, whatever its HTTP method, so that it may be sent twice."""
    formats: RequestFormats = field(default_factory=RequestFormats)
    error_expression: Expression | None = None
    """Sees errors in answers, whatever their status."""
    partition: Partition | None = None
    """How its list is cut into parts that are read side by side."""

    @property
    def query_keys_in_path(self) -> frozenset[str]:
        """The keys of a call's query that the path holds already, and the query string does not repeat."""
        return frozenset(path[1] for path in self.path.references if path[0] == "query" and len(path) > 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationConfig:
    """How one third-party API is called."""

    base_url: Template
    query: Template | None
    """Sent with every request."""
    defaults: MethodConfig
    """What methods inherit; its path and HTTP method are not used."""
    methods: Mapping[tuple[str, str], MethodConfig] = field(default_factory=dict)
    """By resource and method."""
    rate_limit: RateLimitConfig = field(default_factory=RateLimitConfig)
    grants: tuple[OAuthGrant, ...] = ()
    """How accounts' tokens are renewed."""
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    """Which hosts get the secrets that it holds itself."""
    addresses: frozenset[Template] = frozenset()
    """Every base URL of it."""
    plain_paths: frozenset[Path] = frozenset()
    """What of an account's context is declared to be no secret."""
    secret_fields: frozenset[str] = frozenset()
    """What of it is declared to be a secret, at its top."""
    secrets: frozenset[str] = field(default=frozenset(), repr=False)
    """Literal ones of the config itself."""
    _unlisted: dict[tuple[str, str], MethodConfig] = field(default_factory=dict, init=False, repr=False, compare=False)
    """A cache of usual methods that the config does not list: each page needs its method."""

    def find_method(self, resource: str, method: str) -> MethodConfig:
        """Find how to call a method; raise SourceError when a custom one is not in the config."""
        asked = (resource, method)
        found = self.methods.get(asked) or self._unlisted.get(asked)
        if found is None:
            found = self._unlisted[asked] = self._build_usual(resource, method)
        return found

    def pass_on(self, http_method: str) -> "IntegrationConfig":
        """Return the config of a call to the caller's own path: base_url, query, headers and credentials count."""
        formats = replace(self.defaults.formats, arrays=ArrayFormat.REPEAT, body=BodyFormat.JSON)
        method = replace(self.defaults, http_method=http_method, formats=formats, pagination=None)
        return replace(self, methods={(PASSED_ON, http_method.lower()): method})

    def restrict_to(self, *origins: Sequence[str] | None) -> "IntegrationConfig":
        """Return the config with the hosts that its own secrets, and its overrides', were entered for."""
        given = tuple(tuple(patterns) for patterns in origins if patterns is not None)
        if not given:
            return self
        hosts = replace(self.hosts, given=given)
        return replace(self, hosts=hosts, grants=tuple(replace(grant, hosts=hosts) for grant in self.grants))

    def _build_usual(self, resource: str, method: str) -> MethodConfig:
        if method not in _REST_ROUTES:
            raise SourceError("unknown_method", f"resource '{resource}' has no method '{method}' in the integration")
        if "{{" in resource:
            raise SourceError("request", "a resource's name holds '{{': placeholders are for the paths of a config")
        http_method, route = _REST_ROUTES[method]
        path = placeholders.parse(route.replace("{resource}", resource))
        return replace(self.defaults, path=path, http_method=http_method)


def parse_config(raw: JSON, path: str = "config") -> tuple[IntegrationConfig | None, list[Failure]]:
    """Read a config; None beside every fault when it has one. Never raises."""
    failures: list[Failure] = []
    reader = ConfigReader(raw, path, failures)
    if not reader.is_object():
        return None, failures
    defaults, grants = _read_defaults(reader), read_grants(reader.enter("credentials"))
    methods = _read_resources(reader, defaults)
    addresses = frozenset(method.base_url for method in (defaults, *methods.values()))
    secrets = list_literal_secrets(reader.value)
    tokens = {address for grant in grants for address in grant.addresses}
    hosts = read_allowed_hosts(reader, secrets, addresses=addresses, tokens=tokens)
    non_secrets.check(reader)
    config = IntegrationConfig(
        base_url=defaults.base_url,
        query=reader.read_object_template("query"),
        defaults=defaults,
        methods=methods,
        rate_limit=read_rate_limit(reader.enter("rate_limit")),
        grants=tuple(replace(grant, hosts=hosts, base_urls=addresses) for grant in grants),
        hosts=hosts,
        addresses=addresses,
        plain_paths=non_secrets.read_plain_paths(reader.value),
        secret_fields=non_secrets.read_secret_fields(reader.value),
        secrets=frozenset(text for secret in secrets for text in secret.texts),
    )
    return (None if failures else config), failures


def check_new_config(raw: JSON, path: str = "config") -> list[Failure]:
    """Return every fault of a config that is to be stored; those that are stored already need not name their hosts."""
    config, failures = parse_config(raw, path)
    failures += [*response_paths.check_paths(raw, path), *_find_schema_faults(raw, path)]
    return failures if config is None else [*failures, *config.hosts.list_failures(path)]


def _read_defaults(reader: ConfigReader) -> MethodConfig:
    return MethodConfig(
        path=placeholders.parse(""),
        http_method="GET",
        base_url=request_formats.read_base_url(reader),
        headers=reader.read_object_template("headers"),
        query=None,
        body=None,
        response_path=read_response_path(reader),
        pagination=read_pagination(reader.enter("pagination")),
        authorization=read_authorization(reader.enter("authorization")),
        key=read_key(reader),
        formats=read_formats(reader, RequestFormats()),
        error_expression=reader.read_expression("error_expression"),
    )


def _read_resources(reader: ConfigReader, defaults: MethodConfig) -> dict[tuple[str, str], MethodConfig]:
    resources = reader.enter("resources")
    if resources.value is None or not resources.is_object():
        return {}
    methods: dict[tuple[str, str], MethodConfig] = {}
    for name in resources.value:
        resource = resources.enter(name)
        for method in resource.value if resource.is_object() else ():
            if method == RECORDS_SCHEMA:
                continue
            one = resource.enter(method)
            if one.is_object():
                headers = _read_headers(one, inherited=reader.value.get("headers"))
                methods[name, method] = _read_method(one, defaults, headers=headers, name=name, method=method)
    return methods


def _find_schema_faults(raw: JSON, path: str) -> list[Failure]:
    """Return what is wrong with the JSON Schemas of resources, which no request needs."""
    resources = raw.get("resources") if isinstance(raw, dict) else None
    failures: list[Failure] = []
    for name, resource in resources.items() if isinstance(resources, dict) else ():
        schema = resource.get(RECORDS_SCHEMA) if isinstance(resource, dict) else None
        if schema is None:
            continue
        at: list[object] = [path, "resources", name, RECORDS_SCHEMA]
        if not isinstance(schema, dict):
            failures.append(Failure(".".join(map(str, at)), f"expected a JSON Schema, found {show_value(schema)}"))
        elif fault := find_schema_fault(schema):
            failures.append(Failure(".".join(map(str, [*at, *fault[0]])), fault[1]))
    return failures


def _read_method(
    reader: ConfigReader, defaults: MethodConfig, *, headers: Template | None, name: str, method: str
) -> MethodConfig:
    own = reader.value
    http_method, route = _REST_ROUTES.get(method, _CUSTOM_ROUTE)
    return MethodConfig(
        path=request_formats.read_path(reader, default=route.replace("{resource}", name)),
        http_method=_read_http_method(reader, http_method),
        base_url=request_formats.read_base_url(reader) if own.get("base_url") else defaults.base_url,
        headers=headers,
        query=reader.read_expression("query")
        if isinstance(own.get("query"), str)
        else reader.read_object_template("query"),
        body=reader.read_any_template("body"),
        sent_body=read_sent_body(reader),
        response_path=read_response_path(reader) if "response_path" in own else defaults.response_path,
        pagination=read_pagination(reader.enter("pagination")) if "pagination" in own else defaults.pagination,
        authorization=_read_authorization(reader, defaults),
        key=read_key(reader, defaults.key),
        timeout_seconds=reader.read_integer("timeout_seconds", default=None, least=1),
        is_read=reader.read_flag("is_read"),
        formats=read_formats(reader, defaults.formats),
        error_expression=reader.read_expression("error_expression")
        if "error_expression" in own
        else defaults.error_expression,
        partition=read_partition(reader.enter("partition")),
    )


def _read_headers(reader: ConfigReader, *, inherited: JSON) -> Template | None:
    """Read a method's headers over the inherited ones, whose own failures were added where they are read."""
    reader.read_object_template("headers")
    merged = [headers for headers in (inherited, reader.value.get("headers")) if isinstance(headers, dict)]
    value = {"headers": {name: text for headers in merged for name, text in headers.items()}}
    return ConfigReader(value, reader.at, []).read_object_template("headers")


def _read_http_method(reader: ConfigReader, default: str) -> str:
    value = reader.value.get("method")
    if value is None:
        return default
    if not isinstance(value, str) or value.upper() not in _HTTP_METHODS:
        reader.report("method", f"expected get, post, put, patch or delete, found {show_value(value)}")
        return default
    return value.upper()


def _read_authorization(reader: ConfigReader, defaults: MethodConfig) -> Authorization | None:
    if reader.read_flag("no_auth"):
        return None
    if "authorization" in reader.value:
        return read_authorization(reader.enter("authorization"))
    return defaults.authorization
