"""Fields and bases that the schemas of all resources share."""

import copy
import re
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, TypeAlias

from marshmallow import EXCLUDE, Schema, ValidationError, fields, pre_load, validate
from webargs.fields import DelimitedList

from app import numerals
from app.api.schemas.save_warnings import Warned
from app.engine.ids import parse_id
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.shapes import Shape
from app.engine.times import format_utc

MAX_LIMIT: Final = 1000
DEFAULT_LIMIT: Final = 100
_OPERATORS: Final = ("eq", "gt", "gte", "lt", "lte")
# In a query an unescaped "+" of a zone arrives as a space.
_LOST_PLUS: Final = re.compile(r" (?=\d\d:?\d\d$)")


TEXT: Final = validate.Length(min=1, max=1000)
SLUG: Final = validate.Regexp(
    re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z"),
    error="expected 1 to 100 letters, digits, dots, dashes or underscores, beginning with a letter or digit",
)
SHARING: Final = validate.OneOf(["deny", "ask", "allow"])
NO_TEAMS: Final = "there are environments, and no teams"
UNCHANGEABLE: Final = {"description": "Can not be changed; the present one is accepted."}
SEEN_VERSION: Final = {"description": "The version that you saw; refused when it is another by now."}
OWN_ENVIRONMENT: Final = {"description": "The environment that has it, which may use whatever it has."}

Shapes: TypeAlias = Mapping[str, Shape]
Reasons: TypeAlias = Mapping[str, str]


class Input(Schema):
    """A body or a query; unknown fields pass, and null stands for an absent field unless it has another meaning."""

    EMPTY_IS_ABSENT: ClassVar = False
    """Whether "" is taken as null too; such a schema converts it itself."""
    SHAPES: ClassVar[Shapes] = {}
    """The known keys within some of its fields."""
    NOT_SERVED: ClassVar[Reasons] = {}
    """Fields that the compatible API documents and that do nothing here, each with the reason."""

    read_back: Set[str] = frozenset()
    """Fields of the answer that may be sent back, and are ignored."""
    stored: Callable[[], JSON] | None = None
    """Returns the object that the request changes; None where it creates one."""

    class Meta:
        """Marshmallow's options."""

        unknown = EXCLUDE

    @classmethod
    def spellings(cls, names: Set[str]) -> Set[str]:
        """Return every spelling of the names that fields have."""
        return names

    @pre_load
    def _without_null(self, data: JSON, **_: Any) -> JsonObject:
        nullable = {field.data_key or name for name, field in self.fields.items() if field.allow_none}
        return {name: value for name, value in data.items() if value is not None or name in nullable}


class Sparse(Schema):
    """An answer that has only some of its fields."""


class Id(fields.String):
    """A UUID in any case; loads to its canonical form."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"format": "uuid", **options.pop("metadata", {})}, **options)

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> str:
        id = parse_id(value) if isinstance(value, str) else None
        if id is None:
            raise ValidationError("expected a UUID")
        return id


class Flag(fields.Boolean):
    """A JSON boolean; in a query, ``true`` or ``false``."""

    truthy = {True, "true"}  # noqa: RUF012  # marshmallow's way to configure it
    falsy = {False, "false"}  # noqa: RUF012

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> bool:
        if not isinstance(value, bool | str) or value not in (True, False, "true", "false"):
            raise ValidationError("expected true or false")
        return value in (True, "true")


class Whole(fields.Integer):
    """A JSON integer, such as 1 or 1.0; no text or boolean."""

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> int:
        is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
        if isinstance(value, bool) or not is_whole:
            raise ValidationError("expected an integer")
        return int(value)


class QueryNumber(fields.Integer):
    """A whole number of a query, in ASCII digits."""

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> int:
        try:
            return numerals.read_whole(str(value))
        except ValueError:
            raise self.make_error("invalid", input=value) from None


class JsonObjectField(fields.Dict):
    """A JSON object of any content."""

    default_error_messages = {"invalid": "expected an object"}  # noqa: RUF012


class Time(fields.Field[Any]):
    """A time: ISO-8601, in UTC unless it names a zone."""

    def __init__(self, **options: Any) -> None:
        super().__init__(metadata={"type": "string", "format": "date-time", **options.pop("metadata", {})}, **options)

    def _serialize(self, value: Any, attr: str | None, obj: Any, **options: Any) -> str | None:
        return format_utc(value) if isinstance(value, datetime) else value

    def _deserialize(self, value: JSON, attr: str | None, data: Mapping[str, JSON] | None, **options: Any) -> datetime:
        try:
            moment = datetime.fromisoformat(_LOST_PLUS.sub("+", value.strip()))
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
        except (AttributeError, TypeError, ValueError, OverflowError):
            raise ValidationError("expected an ISO-8601 time such as 2021-08-10T10:00:00.000Z") from None


class Query(Input):
    """A query, in which an empty parameter is absent."""


class Listing(Query):
    """The query of every list."""

    limit = QueryNumber(
        load_default=DEFAULT_LIMIT,
        validate=validate.Range(1, MAX_LIMIT, error=f"expected a number from 1 to {MAX_LIMIT}"),
        metadata={"description": "The most that one page may hold."},
    )
    next_cursor = fields.String(
        metadata={"description": "The next_cursor of the page before; empty for the first page."}
    )


def make_sort_field(*columns: str, default: str) -> fields.String:
    """Return the field that sorts a list; a dash before a column reverses its order."""
    known = [way for column in columns for way in (column, f"-{column}")]
    one_of = validate.OneOf(known, error=f"expected one of: {', '.join(known)}")
    return fields.String(load_default=default, validate=one_of)


class SortedListing(Listing):
    """The query of lists that are ordered by time of creation."""

    sort = make_sort_field("created_at", default="-created_at")


def make_list_query(
    name: str,
    filters: Mapping[str, fields.Field[Any]],
    *,
    listing: type[Listing] = SortedListing,
    times: tuple[str, ...] = ("created_at", "updated_at"),
    sorts: Sequence[str] = (),
) -> type[Schema]:
    """Return the query of a list with filters, and with ``column[operator]`` for each filter and each column of times.

    A list that is sorted is also narrowed by ``id``, and may be sorted by other columns than ``created_at``.
    """
    given: dict[str, fields.Field[Any]] = {"id": Id(), **filters} if issubclass(listing, SortedListing) else {**filters}
    if sorts:
        given["sort"] = make_sort_field("created_at", *sorts, default="-created_at")
    made = make_time_filters(*times)
    if issubclass(listing, SortedListing):
        for column, field in given.items():
            is_filter = column != "sort" and "[" not in column
            made |= _choices(column, field) if is_filter and not field.required else {}
    return listing.from_dict({**given, **made, **filters}, name=name)


def make_time_filters(*columns: str) -> dict[str, fields.Field[Any]]:
    """Return the fields of a query that narrow by times: ``column``, and ``column[operator]``."""
    made: dict[str, fields.Field[Any]] = {column: Time() for column in columns}
    for column in columns:
        made |= {f"{column}[{operator}]": Time() for operator in _OPERATORS}
        made[f"{column}[in]"] = DelimitedList(Time())
    return made


def _choices(column: str, field: fields.Field[Any]) -> dict[str, fields.Field[Any]]:
    """Return ``column[eq]`` and ``column[in]`` of a filter."""
    shown = field.data_key or column
    equal = copy.copy(field)
    equal.data_key = f"{shown}[eq]"
    return {f"{column}[eq]": equal, f"{column}[in]": DelimitedList(copy.copy(field), data_key=f"{shown}[in]")}


def take_choices(query: JsonObject) -> list[tuple[str, Sequence[object]]]:
    """Take lists of values and ``column[eq]`` out of a loaded query; return each column with its allowed values."""
    found: list[tuple[str, Sequence[object]]] = []
    for name in [name for name, value in query.items() if isinstance(value, list) or name.endswith("[eq]")]:
        value = query.pop(name)
        found.append((name.partition("[")[0], value if isinstance(value, list) else [value]))
    return found


def take_times(query: JsonObject, *columns: str) -> dict[tuple[str, str], object]:
    """Take the time filters out of a loaded query: ``{(column, operator): value}``."""
    found: dict[tuple[str, str], object] = {}
    for name in list(query):
        column, _, operator = name.partition("[")
        if column in columns:
            found[column, operator.rstrip("]") or "eq"] = query.pop(name)
    return found


def page_of(item: type[Schema]) -> type[Schema]:
    """Return the schema of a page of objects."""
    page = Schema.from_dict(
        {
            "result": fields.List(fields.Nested(item), required=True),
            "next_cursor": fields.String(allow_none=True, required=True),
            "limit": fields.Integer(required=True),
        },
        name=f"{item.__name__}Page",
    )
    page.__doc__ = "A page of a list."
    return page


class ShownOnce(Schema):
    """An answer with a secret that is shown once, and that is therefore not shortened."""


class Deleted(Schema):
    """The answer to DELETE."""

    id = fields.String(required=True)


class Success(Warned):
    """The answer to an action."""

    success = fields.Boolean(required=True)
