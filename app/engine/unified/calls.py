"""Map one call of a unified API: its records and its error.

What mappings see: ``query`` (what the caller asks, without what is meant for the integration alone), ``rawQuery`` (all
of it), ``context`` (the account's, secrets masked), ``id``, ``body``, and ``response``: a record, or a page's records.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import repeat
from typing import Final

import orjson

from app.engine.config.reader import name_type, show_value
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import make_storable
from app.engine.jsonata.bulk import evaluate_each
from app.engine.jsonata.exact_integers import write_long_integers_as_texts
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED
from app.engine.record_errors import ExpressionError, MappingError, SourceError
from app.engine.records.keys import RecordKey
from app.engine.records.rows import read_id
from app.engine.unified.mapping import UnifiedMapping
from app.engine.unified.mapping_values import evaluate_part, require_object, write_headers

REMOTE_DATA: Final = "remote_data"

_PREFIX: Final = "truto_"
_IGNORE_REMOTE_DATA: Final = "truto_ignore_remote_data"
_EXCLUDE_FIELDS: Final = "truto_exclude_fields"


@dataclass(frozen=True, slots=True, kw_only=True)
class WantedFields:
    """What a mapped record is to hold."""

    has_remote_data: bool = False
    """The upstream's own record is beside the mapped fields."""
    excluded: frozenset[str] = frozenset()

    @property
    def is_special(self) -> bool:
        """Whether a mapped record does not stay as it is."""
        return self.has_remote_data or bool(self.excluded)

    def finish(self, record: JsonObject, *, remote: JSON) -> JsonObject:
        """Finish a mapped record; ``remote`` is UNDEFINED where records have no one counterpart."""
        if self.has_remote_data and remote is not UNDEFINED:
            record = {**record, REMOTE_DATA: remote}
        if self.excluded:
            record = {name: value for name, value in record.items() if name not in self.excluded}
        return record


def read_wanted(query: JsonObject) -> tuple[WantedFields, JsonObject]:
    """Split a query into its ``truto_*`` fields and the rest; raise MappingError for one that is not known."""
    found = {name: value for name, value in query.items() if name.startswith(_PREFIX)}
    rest = {name: value for name, value in query.items() if name not in found}
    if not found:
        return WantedFields(), rest
    ignores = _read_flag(found.pop(_IGNORE_REMOTE_DATA, True))
    excluded = _read_names(found.pop(_EXCLUDE_FIELDS, ""))
    if found:
        raise MappingError(f"query.{min(found)}", "is not supported")
    return WantedFields(has_remote_data=not ignores, excluded=excluded), rest


def _read_flag(value: JSON) -> bool:
    if value not in (True, False, "true", "false"):
        raise MappingError(f"query.{_IGNORE_REMOTE_DATA}", f"expected true or false, found {show_value(value)}")
    return value in (True, "true")


def _read_names(value: JSON) -> frozenset[str]:
    names = value.split(",") if isinstance(value, str) else value
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise MappingError(f"query.{_EXCLUDE_FIELDS}", f"expected names separated by commas, found {show_value(value)}")
    return frozenset(name.strip() for name in names)


REMOTE_QUERY: Final = "remote_query"
"""The key of a query whose fields go to the integration as they are."""

NO_HEADERS: Final[Mapping[str, str]] = {}
_MOST_SECONDS_PER_PAGE: Final = 8.0
_OUT_OF_TIME: Final = f"its page had used up the {_MOST_SECONDS_PER_PAGE:g} s that a page's mapping may take"


@dataclass(frozen=True, slots=True, kw_only=True)
class UnifiedRequest:
    """A request to a unified API."""

    id: str | None = None
    query: JsonObject = field(default_factory=dict)
    body: JSON = None


@dataclass(frozen=True, slots=True, kw_only=True)
class MappedPage:
    """A page's mapped records, and its errors."""

    records: list[JSON]
    errors: Sequence[MappingError] = ()
    quarantined: int = 0
    """The records that could not be mapped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallMapping:
    """The mapping of one call: what its answers become."""

    mapping: UnifiedMapping
    scope: JsonObject = field(repr=False)
    wanted: WantedFields
    monotonic: Callable[[], float] = field(repr=False)

    @property
    def reads_headers(self) -> bool:
        """Whether it reads an answer's headers."""
        mapping = self.mapping
        expressions = (mapping.response_mapping, mapping.is_partial_expression)
        return mapping.response_header_mapping is not None or any(
            expression is not None and _reads_headers(expression) for expression in expressions
        )

    def map_page(
        self,
        records: list[JSON],
        key: RecordKey,
        headers: Mapping[str, str] = NO_HEADERS,
        *,
        has_short_integers: bool = False,
    ) -> MappedPage:
        """Map a page's records. One that can not be mapped is an error, and the others go on.

        ``has_short_integers``: it is known that no record holds an integer that JSONata would take digits from.
        """
        expression = self.mapping.response_mapping
        exact = records if expression is None or has_short_integers else write_long_integers_as_texts(records)
        scope = self.scope
        if expression is not None and _reads_headers(expression):
            scope = {**scope, "headers": dict(headers)}
        if expression is not None and self.mapping.maps_pages:
            return self._map_whole_page(expression, exact, scope)
        return self._collect(zip(records, self._map_records(expression, exact, scope), strict=True), key)

    def map_headers(self, page: Sequence[JSON], headers: Mapping[str, str]) -> dict[str, str]:
        """Make the headers that a caller is answered with; raise MappingError."""
        expression = self.mapping.response_header_mapping
        if expression is None:
            return {}
        scope = {**self.scope, "headers": dict(headers), "response": list(page)}
        found = require_object(evaluate_part(expression, "response_header_mapping", scope), "response_header_mapping")
        return {
            name: text for name, text in write_headers(found, "response_header_mapping").items() if text is not None
        }

    def is_partial(self, page: Sequence[JSON], headers: Mapping[str, str]) -> bool:
        """Whether something is missing in a page, whose records are the API's own; raise MappingError."""
        expression = self.mapping.is_partial_expression
        if expression is None:
            return False
        scope = {**self.scope, "headers": dict(headers), "response": write_long_integers_as_texts(list(page))}
        found = evaluate_part(expression, "is_partial_expression", scope)
        return found is not UNDEFINED and bool(found)

    def map_error(self, error: SourceError) -> SourceError:
        """Replace an upstream's error by that of the mapping, where it has one."""
        expression, answer = self.mapping.error_mapping, error.answer
        if expression is None or answer is None:
            return error
        body = _decode(answer.body)
        seen = {"response": body, "error": body, "status": answer.status, "headers": dict(answer.headers)}
        try:
            found = expression.evaluate({**self.scope, **seen, "message": error.message})
        except ExpressionError as failure:
            return _reword(error, f"{error.message} (error_mapping: {failure.message})")
        described = {"message": found} if isinstance(found, str) else found if isinstance(found, dict) else {}
        if isinstance(message := described.get("message"), str):
            _reword(error, message)
        if isinstance(code := described.get("code"), str):
            error.code = code
        if isinstance(status := described.get("status"), int):
            error.status = status
        return error

    def _collect(self, mapped: Iterable[tuple[JSON, JSON | ExpressionError]], key: RecordKey) -> MappedPage:
        made: list[JSON] = []
        errors: list[MappingError] = []
        for record, found in mapped:
            if type(found) is dict:
                made.append(self._finish(found, record, key))
            else:
                errors.append(_make_mapping_error(found, read_id(record, key)))
        return MappedPage(records=made, errors=errors, quarantined=len(errors))

    def _map_records(self, expression: Expression | None, records: list[JSON], scope: JsonObject) -> Iterator[JSON]:
        """Yield the mapping's result for each record: anything that is no object can not be kept."""
        if expression is None:
            yield from records
            return
        deadline = self.monotonic() + _MOST_SECONDS_PER_PAGE
        found = evaluate_each(expression, [{**scope, "response": record} for record in records])
        for position in range(len(records)):
            if self.monotonic() > deadline:
                yield from repeat(ExpressionError(_OUT_OF_TIME), len(records) - position)
                return
            yield next(found)

    def _finish(self, found: JsonObject, record: JSON, key: RecordKey) -> JsonObject:
        if found.get("id") is None and (id := read_id(record, key)) is not None:
            found = {"id": id, **{key: value for key, value in found.items() if key != "id"}}
        return self.wanted.finish(found, remote=record) if self.wanted.is_special else found

    def _map_whole_page(self, expression: Expression, records: list[JSON], scope: JsonObject) -> MappedPage:
        try:
            found = expression.evaluate({**scope, "response": records})
        except ExpressionError as error:
            failure = MappingError("response_mapping", error.message)
            return MappedPage(records=[], errors=[failure], quarantined=len(records))
        made = [] if found is UNDEFINED or found is None else found if isinstance(found, list) else [found]
        if other := [one for one in made if not isinstance(one, dict)]:
            message = f"expected an array of objects, the mapping returns {name_type(other[0])} in it"
            failure = MappingError("response_mapping", message)
            return MappedPage(records=[], errors=[failure], quarantined=len(records))
        return MappedPage(records=[self.wanted.finish(one, remote=UNDEFINED) for one in made])


def _reword(error: SourceError, message: str) -> SourceError:
    error.message, error.args = message, (message,)
    return error


def _make_mapping_error(found: JSON, record_id: str | None) -> MappingError:
    message = found.message if isinstance(found, ExpressionError) else f"expected an object, found {name_type(found)}"
    return MappingError("response_mapping", message, record_id=record_id)


def prepare_call(
    mapping: UnifiedMapping, asked: UnifiedRequest, context: JsonObject, *, monotonic: Callable[[], float]
) -> CallMapping:
    """Prepare the mapping of one call; raise MappingError. ``context`` is the account's with its secrets masked."""
    wanted, raw_query = read_wanted(asked.query)
    scope: JsonObject = {
        "query": {name: value for name, value in raw_query.items() if name != REMOTE_QUERY},
        "rawQuery": raw_query,
        "context": context,
    }
    given = {"id": asked.id, "body": asked.body}
    scope |= {name: value for name, value in given.items() if value is not None}
    return CallMapping(mapping=mapping, scope=scope, wanted=wanted, monotonic=monotonic)


def _reads_headers(expression: Expression) -> bool:
    return "headers" in expression.text


def _decode(text: str) -> JSON:
    try:
        return make_storable(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text
