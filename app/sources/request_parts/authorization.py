"""Headers that authorize a request: from the account's context, or by an expression over the finished request."""

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
from app.sources.exchange.redaction import collect_secrets, mask_secrets
from app.sources.request_parts.bodies import to_text

Signer: TypeAlias = Callable[[JsonObject], JsonObject]


def build_headers(authorization: Authorization | None, scope: JsonObject) -> dict[str, str]:
    """Return the headers from the account's context; raise PlaceholderError, or SourceError for a null."""
    match authorization:
        case None | ComputedAuthorization():
            return {}
        case BearerAuthorization(token=token):
            return {"Authorization": f"Bearer {_resolve_text(token, scope)}"}
        case HeaderAuthorization(name=name, value=value):
            return {_resolve_text(name, scope): _resolve_text(value, scope)}
        case BasicAuthorization(username=username, password=password):
            pair = f"{_resolve_text_or_empty(username, scope)}:{_resolve_text_or_empty(password, scope)}"
            return {"Authorization": f"Basic {base64.b64encode(pair.encode(errors='replace')).decode()}"}


def build_signer(authorization: Authorization | None, context: JsonObject) -> Signer | None:
    """Return the function that computes the headers where the authorization is an expression."""
    if not isinstance(authorization, ComputedAuthorization):
        return None
    expression = authorization.expression

    def sign(request: JsonObject) -> JsonObject:
        try:
            computed = expression.evaluate({**request, "context": context})
        except ExpressionError as error:
            message = f"authorization.expression can not be evaluated: {error.message}"
            raise SourceError("expression", mask_secrets(message, collect_secrets(context))) from error
        if not isinstance(computed, dict) or not all(isinstance(value, str) for value in computed.values()):
            raise SourceError("expression", "authorization.expression gave no object of texts")
        return computed

    return sign


def extract_credential(header: str) -> str:
    """Return the secret part of a header: the token of ``Bearer <token>``."""
    return header.partition(" ")[2] or header


def _resolve_text(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    if value is None or value is UNDEFINED:
        raise SourceError("request", "a part of the credentials is null")
    return to_text(value)


def _resolve_text_or_empty(template: Template, scope: JsonObject) -> str:
    value = template.resolve(scope)
    return "" if value is UNDEFINED else to_text(value or "")
