"""Read a JSON object field by field, gathering every fault with its path."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from app.engine import placeholders
from app.engine.errors import Failure, InvalidInputError
from app.engine.json_types import JSON
from app.engine.paths import Path
from app.engine.placeholders import Template

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConfigReader:
    """One object of a configuration, where it stands, and the list that faults go to."""

    value: JSON
    at: str
    failures: list[Failure]

    def fault(self, key: str, message: str) -> None:
        """Note a fault; an empty key means the object itself."""
        self.failures.append(Failure(f"{self.at}.{key}" if key else self.at, message))

    def child(self, key: str) -> "ConfigReader":
        """Read on inside a field."""
        return ConfigReader(self.value.get(key), f"{self.at}.{key}", self.failures)

    def is_object(self) -> bool:
        """Claim that the value is an object; note a fault when it is not."""
        if isinstance(self.value, dict):
            return True
        self.fault("", f"expected an object, found {type_name(self.value)}")
        return False

    def read_format(self, formats: Mapping[str, Callable[["ConfigReader"], T]]) -> T | None:
        """Read a value whose ``format`` says what else it holds, beside it or under ``config``."""
        if not self.is_object():
            return None
        name = self.value.get("format")
        if not isinstance(name, str) or name not in formats:
            self.fault("format", f"expected one of {', '.join(formats)}; found {shown(name)}")
            return None
        inner = self.value.get("config")
        nested = isinstance(inner, dict)
        return formats[name](
            ConfigReader(inner if nested else self.value, f"{self.at}.config" if nested else self.at, self.failures)
        )

    def text(self, *names: str, default: str | None = None) -> str:
        """Read a text by the first of its names that is there."""
        name, value = self._first(names)
        if value is None and default is not None:
            return default
        if not isinstance(value, str) or not value:
            self.fault(name, f"expected a text, found {shown(value)}")
            return ""
        return value

    def optional_text(self, name: str) -> str | None:
        """Read a text that may be absent."""
        return None if self.value.get(name) is None else self.text(name)

    def integer(self, *names: str, default: int | None, least: int) -> int | None:
        """Read an integer by the first of its names that is there; digits in a text count."""
        name, value = self._first(names)
        if value is None:
            return default
        number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else value
        if isinstance(number, bool) or not isinstance(number, int) or number < least:
            self.fault(name, f"expected an integer of at least {least}, found {shown(value)}")
            return default
        return number

    def path(self, name: str, default: Path | None = None) -> Path | None:
        """Read a dotted path; an empty one is none."""
        value = self.value.get(name)
        if value is None or value == "":
            return default
        if not isinstance(value, str) or "" in value.split("."):
            self.fault(name, f"expected a dotted path such as 'data.items', found {shown(value)}")
            return default
        return tuple(value.split("."))

    def template(self, *names: str, default: str | None = None) -> Template:
        """Read a text with placeholders by the first of its names that is there."""
        name, value = self._first(names)
        if value is None and default is not None:
            return placeholders.parse(default)
        if not isinstance(value, str) or (not value and default is None):
            self.fault(name, f"expected a text, found {shown(value)}")
            return placeholders.parse("")
        return self._parsed(name, value)

    def object_template(self, name: str) -> Template | None:
        """Read an object whose values hold placeholders; null is none."""
        value = self.value.get(name)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.fault(name, f"expected an object, found {shown(value)}")
            return None
        return self._parsed(name, value)

    def any_template(self, name: str) -> Template | None:
        """Read any JSON with placeholders; absent is none."""
        value = self.value.get(name)
        return None if value is None else self._parsed(name, value)

    def _parsed(self, name: str, value: JSON) -> Template:
        try:
            return placeholders.parse(value)
        except InvalidInputError as error:
            for failure in error.failures:
                self.fault(f"{name}.{failure.path}" if failure.path else name, failure.message)
            return placeholders.parse("")

    def _first(self, names: tuple[str, ...]) -> tuple[str, JSON]:
        present = [name for name in names if self.value.get(name) is not None]
        name = present[0] if present else names[0]
        return name, self.value.get(name)


def shown(value: JSON) -> str:
    """Show a value in an error: its text when it is short, else its kind."""
    return f"'{value}'" if isinstance(value, str | int | float) and len(str(value)) <= 60 else type_name(value)


def type_name(value: JSON) -> str:
    """Name the JSON kind of a value."""
    match value:
        case None:
            return "nothing"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a text"
        case dict():
            return "an object"
        case list():
            return "an array"
        case _:
            return type(value).__name__
