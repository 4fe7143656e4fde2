"""The key of a resource's records: where a record's id is, or the values that together are its id."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path

_ID_PATH: Final = "id_path"


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordKey:
    """Where the parts of a record's id are."""

    paths: tuple[Path, ...]
    """In the record; none when its records are identified by their content."""
    is_list: bool = False
    """The id is the JSON array of the values, even of one."""
    parents: tuple[str, ...] = ()
    """The fields that the record has from its parents, whose values come before its own."""
    may_lack_parents: bool = False
    """A record that has none of these is identified without them: a transform may join records of many parents."""
    is_declared: bool = False
    """The method's own config names it: a page of records without it is a mistake."""

    parts: tuple[Path, ...] = field(init=False, repr=False, compare=False)
    """The paths of all parts of the id, in its order."""
    is_array: bool = field(init=False, repr=False, compare=False)
    """The id is the JSON array of several values."""
    name: str | None = field(init=False, repr=False, compare=False)
    """The one field of the record that holds its id; None where it is not as simple."""

    def __post_init__(self) -> None:
        # Computed once: every record needs them.
        is_array = self.is_list or bool(self.parents and self.paths)
        is_simple = not is_array and len(self.paths) == 1 and len(self.paths[0]) == 1
        object.__setattr__(self, "parts", (*((name,) for name in self.parents), *self.paths))
        object.__setattr__(self, "is_array", is_array)
        object.__setattr__(self, "name", self.paths[0][0] if is_simple else None)

    def add_parents(self, parents: Iterable[str], *, may_lack_them: bool = False) -> "RecordKey":
        """Return the key of records that have these fields from their parents."""
        names = tuple(parents) if self.paths else ()
        return replace(self, parents=names, may_lack_parents=bool(names) and may_lack_them)

    def make_undeclared(self) -> "RecordKey":
        """Return the same key of records that may rightly lack it."""
        return replace(self, is_declared=False)

    def to_json(self) -> JsonObject:
        """Return what two keys have in common exactly when they return the same ids."""
        code = {"paths": [list(path) for path in self.paths], "list": self.is_list, "parents": list(self.parents)}
        return {**code, "may_lack_parents": True} if self.may_lack_parents else code

    @classmethod
    def from_json(cls, value: JsonObject) -> "RecordKey":
        """Read what ``to_json`` has written."""
        paths = tuple(tuple(path) for path in value["paths"])
        return cls(
            paths=paths,
            is_list=value["list"],
            parents=tuple(value["parents"]),
            may_lack_parents="may_lack_parents" in value,
        )

    def __str__(self) -> str:
        shown_parts = ", ".join(f"'{'.'.join(part)}'" for part in self.parts)
        return f"[{shown_parts}]" if self.is_array else shown_parts or "its content"


BY_ID: Final = RecordKey(paths=(("id",),))
"""The key of records unless their integration declares another."""


def read_key(reader: ConfigReader, inherited: RecordKey | None = None) -> RecordKey:
    """Read ``id_path``: a path, or a list of paths whose values together are the id; an empty list is no id."""
    value = reader.value.get(_ID_PATH)
    if isinstance(value, list):
        return RecordKey(paths=_read_parts(reader, value), is_list=bool(value), is_declared=inherited is not None)
    path = reader.read_path(_ID_PATH)
    if path is None:
        return replace(inherited or BY_ID, is_declared=False)
    return RecordKey(paths=(path,), is_declared=inherited is not None)


def _read_parts(reader: ConfigReader, value: list[JSON]) -> tuple[Path, ...]:
    parts = {str(position): part for position, part in enumerate(value)}
    within = ConfigReader(parts, f"{reader.at}.{_ID_PATH}", reader.failures)
    paths: list[Path] = []
    for name, part in parts.items():
        path = within.read_path(name)
        if path is not None:
            paths.append(path)
        elif part in (None, ""):
            within.report(name, f"expected a dotted path such as 'order.id', found {show_value(part)}")
    return tuple(paths)
