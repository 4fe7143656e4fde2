"""The headers that sign a request in: of the account's context, or of an expression over the finished request."""

import base64
from collections.abc import Callable
from typing import TypeAlias

from app.engine.integrations.authorization import (
    Authorization,
    BasicAuthorization,
    BearerAuthorization,
    ComputedAuthorization,
    HeaderAuthorization,
)
from app.engine.json_types import JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, SourceError
from app.engine.templating.placeholders import Template
from app.sources.exchange.redaction import masked, secrets_in
from app.sources.request_parts.bodies import plain

Signer: TypeAlias = Callable[[JsonObject], JsonObject]


def headers(authorization: Authorization | None, scope: JsonObject) -> dict[str, str]:
    """Return the headers that the account's context makes; raise PlaceholderError, or SourceError for a null."""
    match authorization:
        case None | ComputedAuthorization():
            return {}
        case BearerAuthorization(token=token):
            return {"Authorization": f"Bearer {_text(token, scope)}"}
        case HeaderAuthorization(name=name, value=value):
            return {_text(name, scope): _text(value, scope)}
        case BasicAuthorization(username=username, password=password):
            pair = f"{_text_or_empty(username, scope)}:{_text_or_empty(password, scope)}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode(errors='replace')).decode()}"}


def signer(authorization: Authorization | None, context: JsonObject) -> Signer | None:
    """Return what makes the headers of an integration whose authorization is an expression."""
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


def credential(header: str) -> str:
    """Return what is secret of a header: the token of ``Bearer <token>``."""
    return header.partition(" ")[2] or header


def _text(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    if value is None or value is UNDEFINED:
        raise SourceError("request", "a part of the credentials is null")
    return plain(value)


def _text_or_empty(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    return "" if value is UNDEFINED else plain(value or "")
