"""Read a JSON object field by field, and collect every failure with its path."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

from app.engine.config import paths
from app.engine.config.paths import MarkedPath
from app.engine.errors import ExpressionSyntaxError, Failure, InvalidInputError
from app.engine.json_types import JSON
from app.engine.jsonata import expressions
from app.engine.jsonata.expressions import Expression
from app.engine.paths import Path, Undefined
from app.engine.templating import placeholders
from app.engine.templating.placeholders import Template

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


@dataclass(frozen=True, slots=True)
class ConfigReader:
    """One object of a configuration, its path, and the list that failures are added to."""

    value: JSON
    at: str
    failures: list[Failure]

    def report(self, key: str, message: str) -> None:
        """Add a failure; an empty key means the object itself."""
        self.failures.append(Failure(f"{self.at}.{key}" if key else self.at, message))

    def enter(self, key: str) -> "ConfigReader":
        """Return the reader of a field's value."""
        return ConfigReader(self.value.get(key), f"{self.at}.{key}", self.failures)

    def is_object(self) -> bool:
        """Whether the value is an object; add a failure when it is not."""
        if isinstance(self.value, dict):
            return True
        self.report("", f"expected an object, found {name_type(self.value)}")
        return False

    def read_format(self, formats: Mapping[str, Callable[["ConfigReader"], T]]) -> T | None:
        """Read a value whose ``format`` decides its other keys, beside it or under ``config``."""
        if not self.is_object():
            return None
        name = self.value.get("format")
        if not isinstance(name, str) or name not in formats:
            self.report("format", f"expected one of {', '.join(formats)}; found {show_value(name)}")
            return None
        if self.value.get("config") is None:
            return formats[name](self)
        nested = self.enter("config")
        return formats[name](nested) if nested.is_object() else None

    def read_text(self, *names: str, default: str | None = None) -> str:
        """Read a text by the first of its names that is there."""
        name, value = self._find_first(names)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            self.report(name, f"expected a text, found {show_value(value)}")
            return ""
        return value

    def read_optional_text(self, name: str) -> str | None:
        """Read a text that may be absent."""
        return None if self.value.get(name) is None else self.read_text(name)

    def read_integer(self, *names: str, default: int | None, least: int) -> int | None:
        """Read an integer by the first of its names that is there; digits in a text count."""
        name, value = self._find_first(names)
        if value is None:
            return default
        is_number_text = isinstance(value, str) and re.fullmatch("[0-9]{1,18}", value)
        number = int(value) if is_number_text else value
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            self.report(name, f"expected an integer of at least {least}, found {show_value(value)}")
            return default
        return number

    def read_choice(self, name: str, choices: type[E], default: E) -> E:
        """Read one of some words; absent or null is the default."""
        value = self.value.get(name)
        if value is None:
            return default
        if isinstance(value, str) and value in list(choices):
            return choices(value)
        self.report(name, f"expected one of {', '.join(choices)}; found {show_value(value)}")
        return default

    def read_flag(self, name: str) -> bool:
        """Read a boolean; absent is false."""
        value = self.value.get(name)
        if value is not None and not isinstance(value, bool):
            self.report(name, f"expected true or false, found {show_value(value)}")
        return value is True

    def read_path(self, name: str, default: Path | None = None) -> Path | None:
        """Read a path without marks; return None for an empty one."""
        found = self.read_marked_path(name)
        if found is not None and found.optional:
            self.report(name, f"expected a path without '?', found {show_value(self.value.get(name))}")
        return default if found is None else found.keys

    def read_marked_path(self, name: str) -> MarkedPath | None:
        """Read a path whose keys may be marked as optional; return None for an empty one."""
        value = self.value.get(name)
        if value in (None, "", []):
            return None
        found = paths.parse(value)
        if found is None:
            self.report(name, f"expected a dotted path such as 'data.items', found {show_value(value)}")
        return found

    def read_template(self, *names: str, default: str | None = None) -> Template:
        """Read a text with placeholders by the first of its names that is there; it may be secret."""
        name, value = self._find_first(names)
        if value is None:
            value = default
        if not isinstance(value, str) or (not value and default is None):
            self.report(name, f"expected a text, found {'an empty one' if value == '' else name_type(value)}")
            return placeholders.parse("")
        return self._parse(name, value)

    def read_object_template(self, name: str) -> Template | None:
        """Read an object whose values hold placeholders; return None for null."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.report(name, f"expected an object, found {show_value(value)}")
            return None
        return self._parse(name, value)

    def read_expression(self, name: str) -> Expression | None:
        """Read a JSONata expression; return None where it is absent."""
        value = self.value.get(name)
        if value is None or value == "":
            return None
        if not isinstance(value, str):
            self.report(name, f"expected a JSONata expression, found {name_type(value)}")
            return None
        try:
            return expressions.parse(value)
        except ExpressionSyntaxError as error:
            self.report(name, error.message)
            return None

    def read_any_template(self, name: str) -> Template | None:
        """Read any JSON with placeholders; return None where it is absent."""
        value = self.value.get(name)
        return None if value is None else self._parse(name, value)

    def _parse(self, name: str, value: JSON) -> Template:
        try:
            return placeholders.parse(value)
        except InvalidInputError as error:
            for failure in error.failures:
                self.report(f"{name}.{failure.path}" if failure.path else name, failure.message)
            return placeholders.parse("")

    def _find_first(self, names: tuple[str, ...]) -> tuple[str, JSON]:
        present = [name for name in names if self.value.get(name) is not None]
        name = present[0] if present else names[0]
        return name, self.value.get(name)


def show_value(value: JSON) -> str:
    """Show a value in an error: a short text as it is, else its kind."""
    is_short = isinstance(value, str | int | float) and not isinstance(value, bool) and len(str(value)) <= 60
    return f"'{value}'" if is_short else name_type(value)


def name_type(value: JSON) -> str:
    """Name the JSON kind of a value."""
    match value:
        case None | Undefined():
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "an object"
        case _:
            return "an array"
