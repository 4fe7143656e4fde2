"""How an integration proves who it is: bearer token, a header, or basic."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, TypeAlias

from app.engine.config.reader import ConfigReader
from app.engine.json_types import JSON
from app.engine.jsonata.expressions import Expression
from app.engine.templating.placeholders import Template


@dataclass(frozen=True, slots=True, kw_only=True)
class BearerAuthorization:
    """``Authorization: Bearer <token>``."""

    token: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderAuthorization:
    """A header of any name, such as ``x-api-key``."""

    name: Template
    value: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class BasicAuthorization:
    """``Authorization: Basic <username:password>``."""

    username: Template
    password: Template


@dataclass(frozen=True, slots=True, kw_only=True)
class ComputedAuthorization:
    """Headers that an expression makes of each request, such as a signature of its address."""

    expression: Expression
    """JSONata over ``url``, ``requestOptions`` (method, headers, body, query) and ``context``; returns an object."""


Authorization: TypeAlias = BearerAuthorization | HeaderAuthorization | BasicAuthorization | ComputedAuthorization

# Where a connected account usually keeps its token.
_DEFAULT_TOKEN: Final = "{{context.access_token|context.oauth.token.access_token|context.api_token|context.token}}"  # noqa: S105 - a template, no token


def read_authorization(reader: ConfigReader) -> Authorization | None:
    """Read ``{"format": ..., "config": {...}}`` or its flat form; faults go to the reader."""
    if reader.value is None:
        return None
    return reader.read_format(_FORMATS)


def _read_bearer(reader: ConfigReader) -> Authorization:
    return BearerAuthorization(token=reader.read_template("token", default=_DEFAULT_TOKEN))


def _read_header(reader: ConfigReader) -> Authorization | None:
    if reader.value.get("expression") is not None:
        expression = reader.read_expression("expression")
        return None if expression is None else ComputedAuthorization(expression=expression)
    return HeaderAuthorization(
        name=reader.read_template("header_name", "name", "header"), value=reader.read_template("header_value", "value")
    )


def _read_basic(reader: ConfigReader) -> Authorization:
    return BasicAuthorization(
        username=reader.read_template("username"), password=reader.read_template("password", default="")
    )


_FORMATS: Final[Mapping[str, Callable[[ConfigReader], JSON]]] = {
    "bearer": _read_bearer,
    "header": _read_header,
    "basic": _read_basic,
}
