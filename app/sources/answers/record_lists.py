"""Find the records of a document, and distinguish an empty list from a wrong path.

A list is empty where it is null or ``{}``, or where its key is missing: on the first page only in an object without
other lists. An answer that describes an error is never an empty list.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from app.engine.config.paths import MarkedPath
from app.engine.config.reader import name_type
from app.engine.integrations.request_formats import ResponseFormat
from app.engine.json_types import JSON, JsonObject
from app.engine.json_values import is_true
from app.engine.jsonata.expressions import Expression
from app.engine.paths import UNDEFINED, Path, lookup
from app.engine.record_errors import SourceError
from app.engine.records.keys import BY_ID, RecordKey
from app.sources.answers import computed_parts

# Names after _normalize: fault_string, faultString and Fault-String are one.
_ERRORS: Final = frozenset(
    {"error", "errors", "errorcode", "errcode", "errorno", "errno", "errormessage", "errormessages", "errormsg"}
    | {"errordescription", "errordetails", "errortype", "fault", "faults", "faultcode", "faultstring", "exception"}
)
_WORDS: Final = frozenset({"message", "messages", "msg", "errmsg", "detail"})
"""Keys of errors only where the answer holds nothing else."""
_SUCCESSES: Final = frozenset({"success", "ok", "issuccess", "succeeded"})
_STATUSES: Final = frozenset({"status", "statuscode", "code", "httpstatus", "httpcode"})
_BAD_STATUSES: Final = frozenset({"error", "err", "fail", "failed", "failure", "unauthorized", "forbidden", "denied"})
_NO_ERROR: Final = frozenset({"none", "null", "ok", "success", "successful", "succeeded", "no error", "no errors"})

_NOT_ALPHANUMERIC: Final = re.compile(r"[^a-z0-9]")


def find_error_key(answer: JsonObject, *, is_alone: bool) -> str | None:
    """Return the key by which an object describes an error.

    ``is_alone``: it holds nothing of what was requested, so that a ``message`` is an error too.
    """
    return next((key for key, value in answer.items() if _is_error(_normalize(key), value, is_alone=is_alone)), None)


def _normalize(key: str) -> str:
    return _NOT_ALPHANUMERIC.sub("", key.lower())


def _is_error(name: str, value: JSON, *, is_alone: bool) -> bool:
    if name in _ERRORS or (is_alone and name in _WORDS):
        return _has_content(value)
    if name in _SUCCESSES:
        return isinstance(value, bool | int | str) and not is_true(value)
    return name in _STATUSES and _is_bad_status(value)


def _has_content(value: JSON) -> bool:
    if isinstance(value, str):
        return is_true(value) and value.strip().lower() not in _NO_ERROR
    return bool(value)


def _is_bad_status(value: JSON) -> bool:
    text = str(value).strip().lower() if isinstance(value, str | int) else ""
    return text in _BAD_STATUSES or (text.isascii() and text.isdigit() and 400 <= int(text[:9]) <= 599)


_SINGLE: Final = frozenset({"get", "create", "update", "delete"})
"""Methods whose answer is one record."""
_DEEPEST_LIST: Final = 3
_IDENTIFIER: Final = re.compile(r"[^\W\d]\w*")
"""A key that stands in JSONata as it is."""
_MOST_SHOWN: Final = 5
_LONGEST_KEY: Final = 60
_NO_LISTS: Final = frozenset({"link", "links", "_links"})
"""Keys of objects that lead elsewhere, in empty answers too."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordPlace:
    """Where a method's records are in its answers, and in what form."""

    method: str
    is_paged: bool = False
    """The method has a pagination of its own, whatever its name."""
    path: MarkedPath | None = None
    expression: Expression | None = None
    """Finds them in the place of a path."""
    form: ResponseFormat = ResponseFormat.ARRAY
    key: RecordKey = BY_ID
    """The key of its records."""
    is_first_page: bool = True
    is_xml: bool = False
    """In XML a list of one looks like an object."""

    @property
    def is_list(self) -> bool:
        """Whether an answer should hold many records."""
        return self.is_paged or self.method == "list"


def find_records(document: JSON, place: RecordPlace) -> list[JSON]:
    """Find the records; raise SourceError ``no_records``."""
    if place.expression is not None:
        return _compute_records(document, place.expression, place)
    found = document if place.path is None else place.path.find(document)
    if isinstance(found, list):
        return found
    if place.method in _SINGLE:
        return _read_single(document, found, place)
    if _is_nothing(found, place):
        if place.is_list or found is UNDEFINED:
            _check_empty(document, found, place)
        return []
    if isinstance(found, dict) and place.form is not ResponseFormat.ARRAY:
        return [found] if place.form is ResponseFormat.OBJECT else _list_values(found, place)
    if place.method == "list" and not (place.is_xml and place.path):
        raise _no_records_error(document, found, place)
    return [found]


def _compute_records(document: JSON, expression: Expression, place: RecordPlace) -> list[JSON]:
    """Find the records by JSONata, which returns a list of one as its record, and an empty list as nothing."""
    found = computed_parts.compute_records(expression, document)
    if found is not UNDEFINED and found is not None:
        return found if isinstance(found, list) else [found]
    if isinstance(document, dict) and (key := find_error_key(document, is_alone=True)):
        message = f"response_path '{expression.text}' gives nothing; its '{key[:_LONGEST_KEY]}' describes an error"
        raise SourceError("no_records", message)
    if place.method == "get":
        raise SourceError("no_records", f"response_path '{expression.text}' gives nothing")
    return []


def _read_single(document: JSON, found: JSON, place: RecordPlace) -> list[JSON]:
    if place.is_xml and found is UNDEFINED and place.path and lookup(document, place.path.keys[:-1]) is not UNDEFINED:
        return []
    if found is UNDEFINED or (found is None and place.method == "get" and not place.is_xml):
        raise _no_records_error(document, found, place)
    return [] if found is None else [found]


def _is_nothing(found: JSON, place: RecordPlace) -> bool:
    is_object_of_records = place.is_list or place.form is not ResponseFormat.ARRAY
    return found is UNDEFINED or found is None or (found == {} and is_object_of_records)


def _list_values(found: JsonObject, place: RecordPlace) -> list[JSON]:
    """Return the objects of an object: each gets its key where its id, or the first part of that, is missing."""
    values = []
    for key, value in found.items():
        if not isinstance(value, dict):
            found_text = f"{_name_type(value)} at its key '{key[:_LONGEST_KEY]}'"
            message = f"expected an object of objects{_describe_place(place)}, found {found_text}"
            raise SourceError("no_records", message)
        missing = next((path for path in place.key.paths if lookup(value, path) in (UNDEFINED, None)), None)
        values.append(value if missing is None else _add_id(value, missing, key))
    return values


def _add_id(value: JsonObject, path: Path, key: str) -> JsonObject:
    first, *rest = path
    inner = value.get(first)
    id = _add_id(inner if isinstance(inner, dict) else {}, tuple(rest), key) if rest else key
    return {**value, first: id}


def _check_empty(document: JSON, found: JSON, place: RecordPlace) -> None:
    """Raise SourceError unless the answer is that of an empty list."""
    path = place.path or MarkedPath(())
    met = _values_along(document, path.keys)
    missing = len(met) - 1
    may_be_absent = missing in path.optional
    for one, following in zip(met, [*met[1:], found], strict=True):
        is_alone = not isinstance(following, dict) and not may_be_absent
        if isinstance(one, dict) and (key := find_error_key(one, is_alone=is_alone)):
            raise _no_records_error(document, found, place, note=f"; its '{key[:_LONGEST_KEY]}' describes an error")
    innermost = met[-1]
    if found is not UNDEFINED or innermost in (None, [], {}):
        return
    may_be_absent = may_be_absent or not place.is_first_page
    has_others = any(_may_be_records(name, one) for name, one in _lists_in(innermost))
    if not isinstance(innermost, dict) or (not may_be_absent and (missing < len(path.keys) - 1 or has_others)):
        raise _no_records_error(document, found, place)


def _values_along(document: JSON, names: Path) -> list[JSON]:
    """Return the values along a path, from the document to the one that should hold the last name."""
    met = [document]
    for name in names[:-1]:
        inner = lookup(met[-1], (name,))
        if inner is UNDEFINED:
            break
        met.append(inner)
    return met


def _lists_in(value: JSON, deepest: int = _DEEPEST_LIST) -> Iterator[tuple[str, list[JSON]]]:
    """Yield the lists within an object, by their paths."""
    for key, inner in value.items() if isinstance(value, dict) and deepest else ():
        if isinstance(inner, list):
            yield key, inner
        yield from ((f"{key}.{name}", one) for name, one in _lists_in(inner, deepest - 1))


def _may_be_records(name: str, found: list[JSON]) -> bool:
    return name.rpartition(".")[2] not in _NO_LISTS and any(isinstance(one, dict) for one in found)


def _no_records_error(document: JSON, found: JSON, place: RecordPlace, *, note: str = "") -> SourceError:
    arrays = ", ".join(name for name, _ in islice(_lists_in(document), _MOST_SHOWN))
    hint = f" (it has arrays at: {arrays})" if arrays else ""
    if place.path is None:
        hint = f": set response_path to where the array is{hint}"
    elif isinstance(document, list):
        hint = " (the answer is itself an array)"
    elif through := _find_array(place.path, document):
        written = ".".join(key if _IDENTIFIER.fullmatch(key) else f"`{key}`" for key in place.path.keys)
        hint = f" (there is an array at '{through}'): to collect what is in each of its items, write '[{written}]'"
    elif found is UNDEFINED and place.is_list and not note:
        hint += f"; should the API leave it out of an empty list, write '{_write_optional(place.path, document)}'"
    if isinstance(found, dict):
        hint += "; or response_format: 'map' where its values are the records, 'object' where it is the only one"
    return SourceError(
        "no_records", f"expected an array of records{_describe_place(place)}, found {_name_type(found)}{hint}{note}"
    )


def _find_array(path: MarkedPath, document: JSON) -> str | None:
    """Return where a path names a key of an array, of which only the items have keys."""
    missing = path.find_missing(document)
    before = MarkedPath(path.keys[:missing])
    return (
        str(before)
        if missing and isinstance(before.find(document), list) and not _is_index(path.keys[missing])
        else None
    )


def _is_index(key: str) -> bool:
    return key.removeprefix("-").isdigit()


def _write_optional(path: MarkedPath, document: JSON) -> str:
    missing = path.find_missing(document)
    return ".".join(f"{key}?" if at == missing else key for at, key in enumerate(path.keys))


def _describe_place(place: RecordPlace) -> str:
    return "" if place.path is None else f" at response_path '{place.path}'"


def _name_type(value: JSON) -> str:
    return "null" if value is None else "nothing" if value is UNDEFINED else name_type(value)
