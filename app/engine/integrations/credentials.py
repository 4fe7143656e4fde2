"""The ``credentials`` part of an integration's config (wire.md A9): how accounts sign in, and how tokens are renewed.

One object with a ``format``, or a map from formats to objects. Only OAuth 2 says more than what a form asks a person.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Literal, TypeAlias

from app.engine.config.non_secrets import list_form_fields
from app.engine.config.reader import ConfigReader, show_value
from app.engine.integrations.allowed_hosts import AllowedHosts
from app.engine.integrations.token_answers import TokenPlaces
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.of_credentials import PLAIN_FORMATS
from app.engine.templating.placeholders import Template

GrantKind: TypeAlias = Literal["refresh_token", "client_credentials"]

_ADDRESS: Final = re.compile("https?://", re.IGNORECASE)
_TOKEN_PATH: Final = "/oauth/token"  # noqa: S105 - an address
_GRANTS: Final[Mapping[str, tuple[GrantKind, tuple[str, ...]]]] = {
    "oauth2": ("refresh_token", ("refreshPath", "tokenPath")),
    "oauth2_client_credentials": ("client_credentials", ("tokenPath",)),
}
"""By format: the kind of grant, and the keys of its path, the first that is set."""


class _ClientPlace(StrEnum):
    BODY = "body"
    HEADER = "header"


class _TokenBody(StrEnum):
    FORM = "form"
    JSON = "json"


class _Encoding(StrEnum):
    STRICT = "strict"
    LOOSE = "loose"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuthGrant:
    """How an access token is requested."""

    kind: GrantKind
    token_host: Template
    token_path: Template
    client_id: Template = field(repr=False)
    client_secret: Template = field(repr=False)
    scope: str = ""
    """Parted by spaces; sent by client credentials alone."""
    is_client_in_header: bool = False
    """The client proves itself by HTTP Basic instead of in the body."""
    is_json: bool = False
    """The body is JSON, against the standard, instead of a form."""
    id_param: str = "client_id"
    secret_param: str = "client_secret"  # noqa: S105 - a name
    scope_separator: str = " "
    is_loosely_encoded: bool = False
    """HTTP Basic has the client's id and secret as they are."""
    params: Template | None = field(default=None, repr=False)
    """Further fields of the request, such as ``audience``; they win, and a null takes one away."""
    answer: TokenPlaces = field(default_factory=TokenPlaces)
    hosts: AllowedHosts = field(default_factory=AllowedHosts)
    """The hosts that may be requested."""
    base_urls: frozenset[Template] = frozenset()
    """The addresses that the tokens are for."""

    @property
    def addresses(self) -> tuple[Template, ...]:
        """The templates that may decide where the token endpoint is."""
        first, *more = self.token_path.pieces
        if _is_address(first):
            return (self.token_path,)
        return (self.token_host,) if more or isinstance(first, str) else (self.token_host, self.token_path)

    def find_address(self, scope: JsonObject) -> Template | None:
        """Return the path where it is an address of its own, as it is written or by its only placeholder."""
        first, *more = self.token_path.pieces
        is_address = _is_address(first) or (not more and _is_address(self.token_path.resolve(scope)))
        return self.token_path if is_address else None


def read_grants(reader: ConfigReader) -> tuple[OAuthGrant, ...]:
    """Read the part; faults go to the reader."""
    if reader.value is None or not reader.is_object():
        return ()
    if "format" in reader.value:
        name = reader.value["format"]
        return _read_format(reader, "format", name, _unwrap(reader))
    return tuple(
        grant for name in reader.value for grant in _read_format(reader, name, name, _unwrap(reader.enter(name)))
    )


def list_field_names(credentials: JSON, method: str) -> frozenset[str]:
    """List the values that a form asks for to connect an account by a method, or by any where it has none."""
    return frozenset(field["name"] for field in list_form_fields(credentials, method))


def _unwrap(reader: ConfigReader) -> ConfigReader:
    is_wrapped = isinstance(reader.value, dict) and reader.value.get("config") is not None
    return reader.enter("config") if is_wrapped else reader


def _read_format(reader: ConfigReader, key: str, name: JSON, body: ConfigReader) -> tuple[OAuthGrant, ...]:
    if isinstance(name, str) and name in PLAIN_FORMATS:
        return ()
    if not isinstance(name, str) or name not in _GRANTS:
        expected = ", ".join([*PLAIN_FORMATS, *_GRANTS])
        reader.report(key, f"expected one of {expected}; found {show_value(name)}")
        return ()
    if not body.is_object() or body.value.get("auth") is None:
        # The tokens are renewed elsewhere, and sent by PATCH.
        return ()
    kind, path_names = _GRANTS[name]
    return (_read_grant(body, kind=kind, path_names=path_names),)


def _read_grant(reader: ConfigReader, *, kind: GrantKind, path_names: tuple[str, ...]) -> OAuthGrant:
    client, auth = _read_object(reader, "client"), _read_object(reader, "auth")
    options = _read_object(reader, "options")
    return OAuthGrant(
        kind=kind,
        token_host=auth.read_template("tokenHost"),
        token_path=auth.read_template(*path_names, default=_TOKEN_PATH),
        client_id=client.read_template("id", default="{{context.client_id}}"),
        client_secret=client.read_template("secret", default="{{context.client_secret:any:undefined}}"),
        scope=_read_scope(reader),
        is_client_in_header=_is_client_in_header(options),
        is_json=options.read_choice("bodyFormat", _TokenBody, _TokenBody.FORM) is _TokenBody.JSON,
        id_param=client.read_text("idParamName", default="client_id"),
        secret_param=client.read_text("secretParamName", default="client_secret"),
        scope_separator=options.read_text("scopeSeparator", default=" "),
        is_loosely_encoded=options.read_choice("credentialsEncodingMode", _Encoding, _Encoding.STRICT)
        is _Encoding.LOOSE,
        params=reader.read_object_template("tokenParams"),
        answer=_read_places(_read_object(reader, "tokenResponse")),
    )


def _read_places(reader: ConfigReader) -> TokenPlaces:
    return TokenPlaces(
        token=reader.read_path("path"),
        access=reader.read_path("access"),
        refresh=reader.read_path("refresh"),
        expiry=reader.read_path("expires"),
    )


def _read_object(reader: ConfigReader, key: str) -> ConfigReader:
    """Read an object that may be absent."""
    child = reader.enter(key)
    if child.value is not None and child.is_object():
        return child
    return ConfigReader({}, child.at, child.failures)


def _read_scope(reader: ConfigReader) -> str:
    value = reader.value.get("scope")
    parts = [value] if isinstance(value, str) else value or []
    if not isinstance(parts, list) or not all(isinstance(part, str) for part in parts):
        reader.report("scope", f"expected an array of texts, found {show_value(value)}")
        return ""
    return " ".join(parts)


def _is_address(value: object) -> bool:
    return isinstance(value, str) and _ADDRESS.match(value) is not None


def _is_client_in_header(options: ConfigReader) -> bool:
    return options.read_choice("authorizationMethod", _ClientPlace, _ClientPlace.BODY) is _ClientPlace.HEADER
