"""What an integration's config declares to be no secret: values of an account's context, and literals of its own.

Of a context that is what a form of its ``credentials`` asks for openly: a field with ``"secret": false``, or whose
``type`` is one that shows what is typed and whose name is not a secret's. Beside that, ``non_secret`` lists the names
of headers and parameters, and values of the context as ``context.site``.
"""

from collections.abc import Iterator
from typing import Final

from app.engine.config.reader import ConfigReader, show_value
from app.engine.field_names import is_secret_name
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import Path

KEY: Final = "non_secret"

_CONTEXT: Final = "context."
_OPEN: Final = "text email url number integer select single_select multi_select dropdown checkbox boolean radio date"
_OPEN_TYPES: Final = frozenset(_OPEN.split())


def read_plain_names(config: JsonObject) -> frozenset[str]:
    """Return the names, in lower case, of headers and parameters whose literals are declared to be no secrets."""
    return frozenset(entry.lower() for entry in _read_entries(config) if not entry.startswith(_CONTEXT))


def read_plain_paths(config: JsonObject) -> frozenset[Path]:
    """Return the paths of an account's context whose values are declared to be no secrets."""
    listed = {_read_path(entry) for entry in _read_entries(config) if entry.startswith(_CONTEXT)}
    asked = {field["name"] for field in list_form_fields(config.get("credentials"))}
    return frozenset(listed | {(name,) for name in asked - read_secret_fields(config)})


def read_secret_fields(config: JsonObject) -> frozenset[str]:
    """Return the names of the fields that a form declares to be secrets."""
    return frozenset(field["name"] for field in list_form_fields(config.get("credentials")) if not _is_open(field))


def list_form_fields(credentials: JSON, method: str = "") -> Iterator[JsonObject]:
    """Yield the named fields of a method's form, or of all forms where it has none."""
    for form in list_forms(credentials, method):
        fields = form.get("fields")
        for field in fields if isinstance(fields, list) else ():
            if isinstance(field, dict) and isinstance(field.get("name"), str):
                yield field


def list_forms(credentials: JSON, method: str = "") -> Iterator[JsonObject]:
    """Yield a method's form, or all forms where it has none."""
    if not isinstance(credentials, dict):
        return
    forms = [credentials] if "format" in credentials else [credentials.get(method)]
    for form in credentials.values() if forms == [None] else forms:
        inner = form.get("config", form) if isinstance(form, dict) else None
        if isinstance(inner, dict):
            yield inner


def check(reader: ConfigReader) -> None:
    """Report what is wrong with ``non_secret``, and with ``secret`` of fields."""
    entries = reader.value.get(KEY, [])
    if not isinstance(entries, list) or not all(isinstance(entry, str) for entry in entries):
        reader.report(KEY, f"expected an array of names, found {show_value(entries)}")
        return
    has_names = not all(entry.startswith(_CONTEXT) for entry in entries)
    known = frozenset(name.lower() for name in _list_names(reader.value)) if has_names else frozenset()
    for position, entry in enumerate(entries):
        if entry.startswith(_CONTEXT):
            if not all(_read_path(entry)):
                reader.report(f"{KEY}.{position}", f"expected a path such as 'context.site', found {show_value(entry)}")
        elif entry.lower() not in known:
            message = f"'{entry}' is the name of no header, parameter or field here; expected one, or 'context.<path>'"
            reader.report(f"{KEY}.{position}", message)
    for field in list_form_fields(reader.value.get("credentials")):
        if not isinstance(field.get("secret", False), bool):
            message = f"secret of field '{field['name']}': expected true or false, found {show_value(field['secret'])}"
            reader.report("credentials", message)


def _is_open(field: JsonObject) -> bool:
    declared = field.get("secret")
    if isinstance(declared, bool):
        return not declared
    return field.get("type") in _OPEN_TYPES and not is_secret_name(field["name"])


def _read_entries(config: JsonObject) -> list[str]:
    entries = config.get(KEY)
    return [entry for entry in entries if isinstance(entry, str)] if isinstance(entries, list) else []


def _read_path(entry: str) -> Path:
    return tuple(entry.removeprefix(_CONTEXT).split("."))


def _list_names(value: JSON) -> Iterator[str]:
    match value:
        case dict():
            for name, one in value.items():
                yield name
                yield from _list_names(one)
        case list():
            for one in value:
                yield from _list_names(one)
        case str() if "?" in value or "&" in value:
            yield from list_parameter_names(value)
        case _:
            return


def list_parameter_names(address: str) -> Iterator[str]:
    """Yield the names of the parameters that an address holds."""
    for pair in address.partition("#")[0].partition("?")[2].split("&"):
        yield pair.partition("=")[0]
