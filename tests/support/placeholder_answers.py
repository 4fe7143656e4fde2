"""What the compatible package makes of templates, kept as data and compared with what is made here."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from app.engine.errors import InvalidInputError
from app.engine.json_types import JSON, JsonObject
from app.engine.paths import UNDEFINED
from app.engine.record_errors import PlaceholderError, UnresolvedPlaceholderError
from app.engine.templating import placeholders
from tests.support.placeholder_cases import CONTEXT, Maker

_DATA: Final = Path(__file__).parent / "placeholders"
SEED: Final = 20261130
CASES: Final = 3000
ANSWERS: Final = _DATA / "answers.jsonl"
"""Of the package's 1.0.11, in the order of the cases; tests/ecosystem asks the package itself."""
DIFFERENCES: Final = _DATA / "differences.json"
"""What is done otherwise on purpose, each with what both make of it."""

_LEFT: Final = "{{"
_OBJECT_TEXT: Final = "[object Object]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that is done otherwise on purpose."""

    why: str
    template: JSON
    context: JsonObject
    ours: JsonObject
    theirs: JsonObject


def templates(seed: int = SEED, count: int = CASES) -> list[JSON]:
    """Make the templates of a seed."""
    return Maker(seed).templates(count)


def kept_answers() -> list[JsonObject]:
    """Read the answers that are kept."""
    return [json.loads(line) for line in ANSWERS.read_text(encoding="utf-8").splitlines()]


def differences() -> list[Difference]:
    """Read what is known to differ."""
    return [Difference(**one) for one in json.loads(DIFFERENCES.read_text(encoding="utf-8"))]


def answer_of(template: JSON, context: JsonObject) -> JsonObject:
    """Return what is made here of a template."""
    try:
        value = placeholders.parse(template).resolve(context)
    except UnresolvedPlaceholderError:
        return {"error": "unresolved"}
    except PlaceholderError as error:
        return {"error": "object" if "an object has no text" in error.message else error.message}
    except InvalidInputError:
        return {"refused": True}
    return {"undefined": True} if value is UNDEFINED else {"value": value}


def unlike(cases: Sequence[JSON], theirs: Iterable[JsonObject]) -> tuple[list[str], Counter[str]]:
    """Return the cases that differ in another way than those two that are known, and how many there are of each kind.

    What does not resolve is sent as it is written by the package, and the text of an object is ``[object Object]``.
    """
    found, kinds = [], Counter[str]()
    for template, their in zip(cases, theirs, strict=True):
        ours, written = answer_of(template, CONTEXT), json.dumps(their)
        kind = ours.get("error", "same")
        kinds[kind] += 1
        is_known = {"unresolved": _LEFT in written, "object": _OBJECT_TEXT in written}.get(kind, False)
        if not (is_known or _canonical(ours) == _canonical(their)):
            found.append(f"{json.dumps(template)}: ours {ours}, theirs {their}")
    return found, kinds


def _canonical(value: JSON) -> str:
    """Write a value so that 2 and 2.0 are one number, and true is none."""
    return json.dumps(_plain(value), sort_keys=True)


def _plain(value: JSON) -> JSON:
    match value:
        case dict():
            return {name: _plain(one) for name, one in value.items()}
        case list():
            return [_plain(one) for one in value]
        case float() if value.is_integer():
            return int(value)
        case _:
            return value
