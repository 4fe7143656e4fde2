"""The ``partition`` of an integration's method (docs/integrations.md): by which range or values its list is cut."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from app.engine.config.paths import MarkedPath
from app.engine.config.reader import ConfigReader, show_value
from app.engine.json_types import JSON
from app.engine.partitions import bounds
from app.engine.partitions.bounds import BoundFormat

MOST_VALUES: Final = 10_000
_TIMES: Final = frozenset(BoundFormat) - {BoundFormat.NUMBER}
_OF_RANGES: Final = ("from", "to", "start", "end", "step", "max_results", "part_pages", "total_path")


class PartitionBy(StrEnum):
    """What a list is cut by."""

    TIME = "time"
    """A range of times."""
    NUMBER = "number"
    """A range of integers, such as ids."""
    VALUE = "value"
    """Values that are known, such as projects."""


class PartPlace(StrEnum):
    """Where a request holds the parameters of a part."""

    QUERY = "query"
    BODY = "body"
    """As fields of the body; a dotted name is a nested field."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Partition:
    """How a list is cut."""

    by: PartitionBy
    lower_param: str | None = None
    """The parameter for the beginning of a part; None where only ``{{part.from}}`` has it."""
    upper_param: str | None = None
    value_param: str | None = None
    place: PartPlace = PartPlace.QUERY
    form: BoundFormat = BoundFormat.ISO
    start: int = 0
    """Where the list probably begins; what lies before it belongs to the first part."""
    end: int | None = None
    """Where it probably ends; None is now."""
    step: int | None = None
    """The length of a part; None is chosen by what the answers show."""
    max_results: int | None = None
    """The API returns no more records of one list, whatever there are."""
    part_pages: int | None = None
    """The most pages of a part, as far as it can be cut; None: as many as cost the fewest requests."""
    total_path: MarkedPath | None = None
    """Where a list's first answer has its number of records, beside what the pagination declares."""
    is_lower_excluded: bool = False
    """The API leaves out records at the beginning of a range."""
    values: tuple[JSON, ...] = ()


def read_partition(reader: ConfigReader) -> Partition | None:
    """Read the part; null is none; every fault goes to the reader."""
    if reader.value is None or not reader.is_object():
        return None
    by = reader.read_choice("by", PartitionBy, PartitionBy.TIME)
    if reader.value.get("by") is None:
        reader.report("by", f"expected one of {', '.join(PartitionBy)}; found nothing")
    return _read_values(reader) if by is PartitionBy.VALUE else _read_range(reader, by)


def _read_values(reader: ConfigReader) -> Partition:
    values = reader.value.get("values")
    is_list = isinstance(values, list) and all(
        isinstance(one, str | int) and not isinstance(one, bool) for one in values
    )
    if not is_list or not 0 < len(values) <= MOST_VALUES:
        reader.report("values", f"expected a list of 1 to {MOST_VALUES} texts or integers, found {show_value(values)}")
        values = ()
    for name in _OF_RANGES:
        if reader.value.get(name) is not None:
            reader.report(name, "expected nothing beside 'by': 'value', whose parts are its 'values'")
    return Partition(
        by=PartitionBy.VALUE,
        value_param=reader.read_optional_text("param"),
        place=reader.read_choice("in", PartPlace, PartPlace.QUERY),
        values=tuple(dict.fromkeys(values)),
    )


def _read_range(reader: ConfigReader, by: PartitionBy) -> Partition:
    form = _read_form(reader, by)
    start, end = _read_bound(reader, "start", form), _read_bound(reader, "end", form)
    if by is PartitionBy.NUMBER and end is None:
        reader.report("end", "expected the number at which the list probably ends: what lies behind it is read too")
    if start is not None and end is not None and start >= end:
        reader.report("end", f"expected more than 'start', found {show_value(reader.value.get('end'))}")
    for name in ("param", "values"):
        if reader.value.get(name) is not None:
            reader.report(name, f"expected nothing beside 'by': '{by}': it belongs to 'value'")
    return Partition(
        by=by,
        lower_param=reader.read_optional_text("from"),
        upper_param=reader.read_optional_text("to"),
        place=reader.read_choice("in", PartPlace, PartPlace.QUERY),
        form=form,
        start=start or 0,
        end=end,
        step=_read_step(reader, form),
        max_results=reader.read_integer("max_results", default=None, least=1),
        part_pages=reader.read_integer("part_pages", default=None, least=1),
        total_path=reader.read_marked_path("total_path"),
        is_lower_excluded=reader.read_flag("from_excluded"),
    )


def _read_form(reader: ConfigReader, by: PartitionBy) -> BoundFormat:
    default = BoundFormat.NUMBER if by is PartitionBy.NUMBER else BoundFormat.ISO
    form = reader.read_choice("format", BoundFormat, default)
    if (form in _TIMES) is (by is PartitionBy.NUMBER):
        expected = "number" if by is PartitionBy.NUMBER else ", ".join(sorted(_TIMES))
        reader.report("format", f"expected one of {expected} beside 'by': '{by}'; found '{form}'")
        return default
    return form


def _read_bound(reader: ConfigReader, name: str, form: BoundFormat) -> int | None:
    value = reader.value.get(name)
    if value is None:
        return None
    found = bounds.parse_bound(value, form)
    if found is None:
        reader.report(name, f"expected a bound of the format '{form}', found {show_value(value)}")
    return found


def _read_step(reader: ConfigReader, form: BoundFormat) -> int | None:
    if reader.value.get("step") in (None, "auto"):
        return None
    step = reader.read_integer("step", default=None, least=1)
    return None if step is None else bounds.count_step(step, form)
