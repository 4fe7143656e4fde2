"""What of a request an integration's JSONata makes, instead of placeholders: its query."""

from app.engine.config_reader import type_name
from app.engine.errors import ExpressionError, SourceError
from app.engine.exact_integers import with_long_integers_as_texts
from app.engine.expressions import Expression
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.services.ports import PageCall
from app.sources.redaction import masked, secrets_in

_SEEN = ("query", "context", "id", "body")


def query(expression: Expression, call: PageCall, scope: JsonObject) -> JsonObject:
    """Make the query that takes the place of the call's; raise SourceError ``expression``."""
    seen = with_long_integers_as_texts({"query": {}, **{name: scope[name] for name in _SEEN if name in scope}})
    try:
        found = expression.evaluate(seen)
    except ExpressionError as error:
        message = f"query can not be evaluated: {error.message}"
        raise SourceError("expression", masked(message, call.config.secrets | secrets_in(call.context))) from error
    return _object(found)


def _object(found: JSON) -> JsonObject:
    if found is UNDEFINED or found is None:
        return {}
    if not isinstance(found, dict):
        raise SourceError("expression", f"query is expected to give an object, found {type_name(found)}")
    return found
