"""What an integration's JSONata makes: of a request its query, of an answer its records."""

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
from app.sources.exchange.redaction import masked, secrets_in

_SEEN = ("query", "context", "id", "body")


def are_in(config: MethodConfig) -> bool:
    """Whether expressions make a part of a method's requests, or find out where in its list an answer is."""
    paging = config.pagination
    return (
        isinstance(config.query, Expression)
        or isinstance(config.authorization, ComputedAuthorization)
        or isinstance(config.response_path, Expression)
        or isinstance(paging, DynamicPagination)
        or (paging is not None and paging.signs.stop_when is not None)
    )


def query(expression: Expression, call: PageCall, scope: JsonObject) -> JsonObject:
    """Make the query that takes the place of the call's; raise SourceError ``expression``."""
    seen = write_long_integers_as_texts({"query": {}, **{name: scope[name] for name in _SEEN if name in scope}})
    try:
        found = expression.evaluate(seen)
    except ExpressionError as error:
        message = f"query can not be evaluated: {error.message}"
        raise SourceError("expression", masked(message, call.config.secrets | secrets_in(call.context))) from error
    return _object(found)


def found_by(expression: Expression, document: JSON) -> JSON:
    """Find the records of an answer, UNDEFINED where it has none; raise SourceError ``no_records``."""
    try:
        return expression.evaluate(write_long_integers_as_texts(document))
    except ExpressionError as error:
        raise SourceError("no_records", f"response_path can not be evaluated: {error.message}") from error


def _object(found: JSON) -> JsonObject:
    if found is UNDEFINED or found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceError("expression", f"query is expected to give an object, found {name_type(found)}")
    return found
