"""Judge the keys of a body: its fields by its schema, those within configs and items by their shapes."""

import re
from collections.abc import Mapping, Set
from typing import Final

from app.api.schemas.fields import Input
from app.engine.json_types import JSON, JsonObject
from app.engine.known_keys.judging import KeyFindings, KeyNote, WarningCode, judge
from app.engine.known_keys.suggestions import MOST_SUGGESTED, suggest

_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_NOT_SERVED: Final = "is not served here, and does nothing"


def judge_body(schema: Input, body: JsonObject, known: Set[str], *, is_strict: bool) -> KeyFindings:
    """Judge a body; every note is a fault where that is strict."""
    found = KeyFindings()
    if not body.keys() <= known:
        found.notes.extend(_unknown_fields(schema, body, known))
    for name in schema.SHAPES.keys() & body.keys():
        judged = _judge_field(schema, name, body[name])
        found.failures.extend(judged.failures)
        found.notes.extend(judged.notes)
    if is_strict:
        found.failures.extend(one.make_failure() for one in found.notes)
        found.notes.clear()
    return found


def _unknown_fields(schema: Input, body: JsonObject, known: Set[str]) -> list[KeyNote]:
    notes = []
    absent = (None, "") if schema.EMPTY_IS_ABSENT else (None,)
    for name in body.keys() - known - schema.read_back:
        if body[name] in absent:
            continue
        if name in schema.NOT_SERVED:
            message = f"{_NOT_SERVED}: {schema.NOT_SERVED[name]}"
            notes.append(KeyNote(code=WarningCode.NOT_SERVED, path=name, message=message))
        else:
            hint = f": {suggest(name, known)}" if len(notes) < MOST_SUGGESTED else ""
            message = f"is not known here{hint}"
            notes.append(KeyNote(code=WarningCode.UNKNOWN_FIELD, path=join_path("", name), message=message))
    return sorted(notes, key=lambda one: one.path)


def _judge_field(schema: Input, name: str, value: JSON) -> KeyFindings:
    stored = schema.stored() if schema.stored is not None else None
    before = [stored[name]] if isinstance(stored, Mapping) and stored.get(name) is not None else []
    return judge(value, schema.SHAPES[name], name, stored=before)


def join_path(path: str, key: str) -> str:
    """Return the path of a key, in printable characters."""
    printable = key.encode("ascii", "backslashreplace").decode() if _SURROGATE.search(key) else key.replace("\0", "\\0")
    return f"{path}.{printable}" if path else printable
