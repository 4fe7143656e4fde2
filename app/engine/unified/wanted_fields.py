"""What a caller of a unified API wants of each record beyond its mapping: the ``truto_*`` fields of a query."""

from dataclasses import dataclass
from typing import Final

from app.engine.config.reader import show_value
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import MappingError

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
