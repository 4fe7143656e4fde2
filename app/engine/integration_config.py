"""An integration's config (wire.md A9): how one third-party API is spoken to, checked whole and typed."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from app.engine import placeholders
from app.engine.authorization_config import (
    Authorization,
    BasicAuthorization,
    BearerAuthorization,
    HeaderAuthorization,
    read_authorization,
)
from app.engine.config_reader import ConfigReader, shown
from app.engine.errors import Failure, SourceError
from app.engine.json_types import JSON, JsonObject
from app.engine.pagination_config import (
    CursorPagination,
    LinkHeaderPagination,
    OffsetPagination,
    PagePagination,
    Pagination,
    read_pagination,
)
from app.engine.paths import Path
from app.engine.placeholders import Template

__all__ = [
    "Authorization",
    "BasicAuthorization",
    "BearerAuthorization",
    "CursorPagination",
    "HeaderAuthorization",
    "IntegrationConfig",
    "LinkHeaderPagination",
    "MethodConfig",
    "OffsetPagination",
    "PagePagination",
    "Pagination",
    "parse_config",
]

_HTTP_METHODS: Final = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})

# What a resource that the config does not list is taken to offer: the usual REST routes.
_REST_ROUTES: Final[Mapping[str, tuple[str, str]]] = {
    "list": ("GET", "/{resource}"),
    "get": ("GET", "/{resource}/{{id}}"),
    "create": ("POST", "/{resource}"),
    "update": ("PATCH", "/{resource}/{{id}}"),
    "delete": ("DELETE", "/{resource}/{{id}}"),
}
_DEFAULT_ID_PATH: Final[Path] = ("id",)


@dataclass(frozen=True, slots=True, kw_only=True)
class MethodConfig:
    """One method of one resource, everything that it inherits merged in."""

    path: Template
    http_method: str
    base_url: Template
    headers: Template | None
    """Resolves to an object; a null takes an inherited or standing header away."""
    query: Template | None
    body: Template | None
    """Replaces the call's body when it is set."""
    response_path: Path | None
    pagination: Pagination | None
    authorization: Authorization | None
    id_path: Path = _DEFAULT_ID_PATH
    """Where a record's id is."""
    timeout_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class IntegrationConfig:
    """How one third-party API is spoken to."""

    base_url: Template
    query: Template | None
    """Sent with every request."""
    defaults: MethodConfig
    """What methods inherit; its path and HTTP method are not used."""
    methods: Mapping[tuple[str, str], MethodConfig] = field(default_factory=dict)
    """By resource and method."""

    def method(self, resource: str, method: str) -> MethodConfig:
        """Find how to call a method; raise SourceError when a custom one is not in the config."""
        listed = self.methods.get((resource, method))
        if listed is not None:
            return listed
        if method not in _REST_ROUTES:
            raise SourceError("unknown_method", f"resource '{resource}' has no method '{method}' in the integration")
        http_method, route = _REST_ROUTES[method]
        path = placeholders.parse(route.replace("{resource}", resource))
        return replace(self.defaults, path=path, http_method=http_method)


def parse_config(raw: JSON, path: str = "config") -> tuple[IntegrationConfig | None, list[Failure]]:
    """Read a config; None beside every fault when it has one."""
    failures: list[Failure] = []
    reader = ConfigReader(raw, path, failures)
    if not reader.is_object():
        return None, failures
    defaults = _read_defaults(reader)
    methods = _read_resources(reader, defaults, raw)
    config = IntegrationConfig(
        base_url=defaults.base_url, query=reader.object_template("query"), defaults=defaults, methods=methods
    )
    return (None if failures else config), failures


def _read_defaults(reader: ConfigReader) -> MethodConfig:
    _check_base_url(reader)
    return MethodConfig(
        path=placeholders.parse(""),
        http_method="GET",
        base_url=reader.template("base_url"),
        headers=reader.object_template("headers"),
        query=None,
        body=None,
        response_path=reader.path("response_path"),
        pagination=read_pagination(reader.child("pagination")),
        authorization=read_authorization(reader.child("authorization")),
        id_path=reader.path("id_path") or _DEFAULT_ID_PATH,
    )


def _check_base_url(reader: ConfigReader) -> None:
    url = reader.value.get("base_url")
    if isinstance(url, str) and url and not url.startswith(("http://", "https://", "{{")):
        reader.fault("base_url", f"expected an address that begins with http:// or https://, found {shown(url)}")


def _read_resources(
    reader: ConfigReader, defaults: MethodConfig, raw: JsonObject
) -> dict[tuple[str, str], MethodConfig]:
    resources = reader.child("resources")
    if resources.value is None or not resources.is_object():
        return {}
    methods: dict[tuple[str, str], MethodConfig] = {}
    for name in resources.value:
        resource = resources.child(name)
        if not resource.is_object():
            continue
        for method in resource.value:
            one = resource.child(method)
            if one.is_object():
                methods[name, method] = _read_method(one, defaults, raw, name=name, method=method)
    return methods


def _read_method(
    reader: ConfigReader, defaults: MethodConfig, raw: JsonObject, *, name: str, method: str
) -> MethodConfig:
    own = reader.value
    http_default, route = _REST_ROUTES.get(method, ("GET", "/{resource}"))
    merged = {**own, "headers": _headers(raw.get("headers"), own.get("headers"))}
    return MethodConfig(
        path=reader.template("path", default=route.replace("{resource}", name)),
        http_method=_http_method(reader, http_default),
        base_url=reader.template("base_url") if own.get("base_url") else defaults.base_url,
        headers=ConfigReader(merged, reader.at, reader.failures).object_template("headers"),
        query=reader.object_template("query"),
        body=reader.any_template("body"),
        response_path=reader.path("response_path") if "response_path" in own else defaults.response_path,
        pagination=read_pagination(reader.child("pagination")) if "pagination" in own else defaults.pagination,
        authorization=_authorization(reader, defaults),
        id_path=reader.path("id_path") or defaults.id_path,
        timeout_seconds=reader.integer("timeout_seconds", default=None, least=1),
    )


def _authorization(reader: ConfigReader, defaults: MethodConfig) -> Authorization | None:
    if reader.value.get("no_auth") is True:
        return None
    if "authorization" in reader.value:
        return read_authorization(reader.child("authorization"))
    return defaults.authorization


def _headers(inherited: JSON, own: JSON) -> JSON:
    if not isinstance(own, dict):
        return inherited if own is None else own
    return {**(inherited if isinstance(inherited, dict) else {}), **own}


def _http_method(reader: ConfigReader, default: str) -> str:
    value = reader.value.get("method")
    if value is None:
        return default
    if not isinstance(value, str) or value.upper() not in _HTTP_METHODS:
        reader.fault("method", f"expected get, post, put, patch or delete, found {shown(value)}")
        return default
    return value.upper()
