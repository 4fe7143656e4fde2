"""Parts that an integration's JSONata computes: the query of a request, the records of an answer."""

from app.engine.config.reader import name_type
from app.engine.integrations.authorization import ComputedAuthorization
from app.engine.integrations.config import MethodConfig
from app.engine.integrations.pagination import DynamicPagination
from app.engine.json_types import JSON, JsonObject
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, SourceError
from app.services.ports import PageCall
from app.sources.exchange.redaction import collect_secrets, mask_secrets

_SEEN = ("query", "context", "id", "body", "part")


def has_computed_parts(config: MethodConfig) -> bool:
    """Whether expressions compute parts of a method's requests, or its position in a list."""
    paging = config.pagination
    return (
        isinstance(config.query, Expression)
        or isinstance(config.authorization, ComputedAuthorization)
        or isinstance(config.response_path, Expression)
        or isinstance(paging, DynamicPagination)
        or (paging is not None and paging.end_rules.stop_when is not None)
    )


def has_computed_requests(config: MethodConfig) -> bool:
    """Whether an expression sees each finished request, such as to sign it."""
    return isinstance(config.authorization, ComputedAuthorization)


def compute_query(expression: Expression, call: PageCall, scope: JsonObject) -> JsonObject:
    """Compute the query that replaces the call's; raise SourceError ``expression``."""
    seen = write_long_integers_as_texts({"query": {}, **{name: scope[name] for name in _SEEN if name in scope}})
    try:
        found = expression.evaluate(seen)
    except ExpressionError as error:
        message = f"query can not be evaluated: {error.message}"
        raise SourceError(
            "expression", mask_secrets(message, call.config.secrets | collect_secrets(call.context))
        ) from error
    return _check_object(found)


def compute_records(expression: Expression, document: JSON) -> JSON:
    """Find the records of an answer, UNDEFINED where it has none; raise SourceError ``no_records``."""
    try:
        return expression.evaluate(write_long_integers_as_texts(document))
    except ExpressionError as error:
        raise SourceError("no_records", f"response_path can not be evaluated: {error.message}") from error


def _check_object(found: JSON) -> JsonObject:
    if found is UNDEFINED or found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceError("expression", f"query is expected to give an object, found {name_type(found)}")
    return found
