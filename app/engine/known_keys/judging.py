"""Find keys that a shape does not know or that have no effect, and methods that an integration does not list.

A key that is unknown is a failure, unless it is null, which removes one, or is stored already: what was accepted before
never blocks a change. Such a key, and one that is not served, is a warning. So is a method that is not listed, unless
its name is nearly that of a known one: accounts have overrides, and resources the usual REST routes.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from app.engine.errors import Failure
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys import shapes
from app.engine.known_keys.shapes import ByFormat, Fields, Formatted, Key, ListOf, MapOf, Shape, Use
from app.engine.known_keys.suggestions import find_closest, is_slip, suggest
from app.engine.unified.model import USUAL_METHODS, parse_unified_name

_KEPT_UNKNOWN: Final = "was stored before, and nothing reads it"
_LONGEST_SHOWN: Final = 60


class WarningCode(StrEnum):
    """What a warning is of."""

    UNKNOWN_FIELD = "unknown_field"
    """A field or key that nothing reads."""
    NOT_SERVED = "not_served"
    """A key that the compatible API documents, and that does nothing here."""
    UNKNOWN_PLACEHOLDER = "unknown_placeholder"
    """A placeholder that nothing is known for."""
    UNFILLED_TEXT = "unfilled_text"
    """A text whose placeholder may have no value, and whose rest is sent all the same."""
    UNKNOWN_METHOD = "unknown_method"
    """A resource or a method that the integration does not list."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyNote:
    """A warning for the user who saves a document."""

    code: WarningCode
    path: str
    message: str

    def to_json(self) -> JsonObject:
        """Return it as an answer shows it."""
        return {"code": str(self.code), "path": self.path, "message": self.message}

    def make_failure(self) -> Failure:
        """Return the failure that it is where unknown keys are refused."""
        return Failure(self.path, self.message)


@dataclass(frozen=True, slots=True)
class KeyFindings:
    """The failures and the warnings of a value's keys."""

    failures: list[Failure] = field(default_factory=list)
    notes: list[KeyNote] = field(default_factory=list)


def judge(value: JSON, shape: Shape, path: str, *, stored: Sequence[JSON] = ()) -> KeyFindings:
    """Judge the keys of a value; ``stored`` is what is stored at its place already."""
    judgement = KeyFindings()
    _judge(value, shape, path, tuple(stored), judgement)
    return judgement


def _judge(value: JSON, shape: Shape, path: str, stored: tuple[JSON, ...], found: KeyFindings) -> None:
    """Judge by a shape; a value of a wrong type is left to its reader."""
    match shape:
        case Fields():
            _judge_fields(value, shape, path, stored, found)
        case Formatted():
            _judge_formatted(value, shape, path, stored, found)
        case ByFormat(one=one):
            _judge_by_format(value, one, path, stored, found)
        case MapOf(inner=inner) | ListOf(inner=inner):
            for name, one, before in _list_members(value, shape, stored):
                _judge(one, inner, f"{path}.{name}", before, found)


def _list_members(
    value: JSON, shape: MapOf | ListOf, stored: tuple[JSON, ...]
) -> Iterator[tuple[str | int, JSON, tuple[JSON, ...]]]:
    """Yield each member of a map or list, and what may have been stored of it: any element, for a list's."""
    if isinstance(shape, MapOf) and isinstance(value, dict):
        for name, one in value.items():
            if name not in shape.beside:
                yield name, one, _find_stored(stored, name)
    if isinstance(shape, ListOf) and isinstance(value, list):
        elements = tuple(one for before in stored if isinstance(before, list) for one in before)
        for position, one in enumerate(value):
            yield position, one, elements


def _judge_fields(value: JSON, shape: Fields, path: str, stored: tuple[JSON, ...], found: KeyFindings) -> None:
    for name, one in value.items() if isinstance(value, dict) else ():
        key, at = shape.keys.get(name), f"{path}.{name[:_LONGEST_SHOWN]}"
        if one is None:
            continue
        if key is None:
            _note_unknown(name, at, shape, stored, found)
        elif key.use is Use.UNSERVED:
            message = f"is not served here, and does nothing: {key.meaning}"
            found.notes.append(KeyNote(code=WarningCode.NOT_SERVED, path=at, message=message))
        elif key.use is Use.REFUSED and one not in ([], {}, False):
            found.failures.append(Failure(at, "is not supported yet"))
        elif key.inner is not None:
            _judge(one, key.inner, at, _find_stored(stored, name), found)


def _note_unknown(name: str, at: str, shape: Fields, stored: tuple[JSON, ...], found: KeyFindings) -> None:
    if any(isinstance(before, Mapping) and before.get(name) is not None for before in stored):
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_FIELD, path=at, message=_KEPT_UNKNOWN))
        return
    message = f"is no key that is known here: {suggest(name, _list_usual(shape.keys))}"
    if shape.is_open:
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_FIELD, path=at, message=message))
    else:
        found.failures.append(Failure(at, message))


def _list_usual(keys: Mapping[str, Key]) -> Iterator[str]:
    """Yield the names of keys that may be meant by a mistyped one."""
    return (name for name, key in keys.items() if key.use is not Use.REFUSED and key.other_name_of is None)


def _judge_formatted(
    value: JSON, shape: Formatted, path: str, stored: tuple[JSON, ...], found: KeyFindings, *, name: str | None = None
) -> None:
    """Judge an object by its format, which a part that is merged into what is stored need not repeat."""
    if not isinstance(value, dict):
        return
    names = [one.get(shapes.FORMAT) for one in (value, *stored) if _has_format(one)]
    fields = shape.find_fields(names[0] if names else name)
    outer = {shapes.FORMAT: shapes.reading("What it is."), shapes.CONFIG: shapes.within("What it needs.", fields)}
    is_wrapped = value.get(shapes.CONFIG) is not None
    _judge_fields(value, Fields(keys=outer if is_wrapped else {**fields.keys, **outer}), path, stored, found)


def _judge_by_format(value: JSON, shape: Formatted, path: str, stored: tuple[JSON, ...], found: KeyFindings) -> None:
    """Judge one object that has a format, or each of a map from formats."""
    if _has_format(value) or any(_has_format(before) for before in stored):
        _judge_formatted(value, shape, path, stored, found)
        return
    for name, inner in value.items() if isinstance(value, dict) else ():
        _judge_formatted(inner, shape, f"{path}.{name}", _find_stored(stored, name), found, name=name)


def _has_format(value: JSON) -> bool:
    return isinstance(value, Mapping) and value.get(shapes.FORMAT) is not None


def _find_stored(stored: tuple[JSON, ...], name: str) -> tuple[JSON, ...]:
    return tuple(before[name] for before in stored if isinstance(before, Mapping) and name in before)


_REQUEST: Final = (None, "request")


def judge_methods(items: JSON, config: JsonObject, path: str, *, stored: JSON = None) -> KeyFindings:
    """Judge the items of a job by the resources of its integration's config; ``stored`` are those that it had."""
    found = KeyFindings()
    resources = config.get("resources")
    listed: Mapping[str, JSON] = resources if isinstance(resources, dict) else {}
    had = [(one.get("resource"), one.get("method")) for _, one in _list_objects(stored)]
    for position, item in _list_objects(items):
        if item.get("type") in _REQUEST:
            is_stored = (item.get("resource"), item.get("method")) in had
            _judge_item(item, listed, found, f"{path}.{position}", is_stored=is_stored)
    return found


def _list_objects(items: JSON) -> list[tuple[int, JsonObject]]:
    given = items if isinstance(items, list) else []
    return [(position, item) for position, item in enumerate(given) if isinstance(item, dict)]


def _judge_item(item: JsonObject, listed: Mapping[str, JSON], found: KeyFindings, at: str, *, is_stored: bool) -> None:
    resource, method = item.get("resource"), item.get("method")
    if not isinstance(resource, str) or not isinstance(method, str) or parse_unified_name(resource) is not None:
        return  # What a unified API has is known, and judged with its model.
    close = find_closest(resource, listed)
    if resource not in listed and close is not None:
        message = f"the integration lists no resource '{resource}', so the usual routes are: did you mean '{close}'?"
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_METHOD, path=f"{at}.resource", message=message))
    own = listed.get(resource)
    known = {*USUAL_METHODS, *(own if isinstance(own, dict) else ())}
    if not method or method in known:
        return
    message = f"the integration lists no method '{method}' of '{resource}': {suggest(method, known)}"
    if is_slip(method, known) and not is_stored:
        found.failures.append(Failure(f"{at}.method", message))
    else:
        found.notes.append(KeyNote(code=WarningCode.UNKNOWN_METHOD, path=f"{at}.method", message=message))
