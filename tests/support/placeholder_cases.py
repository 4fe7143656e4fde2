"""Templates by chance, to compare what they give here with what the compatible package makes of them.

They keep away from what is known to differ: that is listed in ``placeholder_differences.json``, case by case. The same
seed gives the same templates on every Python, since nothing but ``random()`` of its generator is used.
"""

import random
from collections.abc import Sequence
from typing import Final, TypeVar

from app.engine.json_types import JSON, JsonObject

T = TypeVar("T")

CONTEXT: Final[JsonObject] = {
    "args": {
        "id": 7,
        "name": "Ann",
        "padded": "  Bob ",
        "digits": "12px",
        "hex": "0x1F",
        "decimal": " 2.50 ",
        "exponent": "1e3",
        "sign": "-7",
        "yes": "true",
        "no": " false ",
        "loud": "True",
        "empty": "",
        "blank": "   ",
        "none": None,
        "none_text": "null",
        "on": True,
        "off": False,
        "rate": 0.1,
        "large": 1e21,
        "half": 1.5,
        "whole": 2.0,
        "minus": -3,
        "json_object": ' {"k": [1, null, "x"]} ',
        "json_list": "[1, 2]",
        "json_number": "5",
        "json_text": '"quoted"',
        "json_broken": "{broken",
        "umlaut": "Zoë\u00a0",
        "lines": "a\nb",
        "list": [1, 2, 3],
        "holes": [1, None, "x", [None, 2]],
        "texts": ["a", "b"],
        "no_items": [],
        "object": {"k": 1, "deep": {"x": 1, "list": [1]}},
        "other": {"k": 2, "deep": {"y": 2, "list": [2]}, "more": None},
        "nothing": {},
        "rows": [{"id": 1}, {"id": 2}],
    },
    "resources": {"crm": {"contacts": {"id": "c-1", "first-name": "Eve"}}, "tickets": {"id": 9, "0": "zero"}},
    "tenant_id": "acme",
}
_SCALARS: Final = [
    "args.id",
    "args.name",
    "args.padded",
    "args.digits",
    "args.hex",
    "args.decimal",
    "args.exponent",
    "args.sign",
    "args.yes",
    "args.no",
    "args.loud",
    "args.empty",
    "args.blank",
    "args.none",
    "args.none_text",
    "args.on",
    "args.off",
    "args.half",
    "args.whole",
    "args.minus",
    "args.json_number",
    "args.json_text",
    "args.json_broken",
    "args.umlaut",
    "args.lines",
    "resources.crm.contacts.id",
    "resources.tickets.id",
    "tenant_id",
    "resources.crm.contacts.first-name",
    "args.list.0",
    "args.list.-1",
    "args.texts.1",
    "args.rows.1.id",
    "args.json_object",
    "args.json_list",
    "args.holes.0",
    "args.holes.1",
]
_NUMBERS: Final = ["args.rate", "args.large"]
_LISTS: Final = ["args.list", "args.holes", "args.texts", "args.no_items"]
_OBJECTS: Final = ["args.object", "args.other", "args.nothing", "args.rows", "resources.crm"]
_ABSENT: Final = [
    "args.absent",
    "absent",
    "args.list.9",
    "args.object.k.x",
    "args.none.x",
    "args.name.x",
    "resources.tickets.9",
]
_TYPED: Final = ("int", "num", "bool")
_AS_THEY_ARE: Final = ("json", "any", "undefined", "ignore-empty-str")
_DEFAULTS: Final = ("x", "0", "true", "5.", "a b", "2021-01-02", "12px", "http://h/p", "null")
_AROUND: Final = ("", "a", " ", "id-", "/x?y=", "}", "{ ", ", ", "ß")


class Maker:
    """Makes templates of one seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def templates(self, count: int) -> list[JSON]:
        """Make so many."""
        return [self._template() for _ in range(count)]

    def _template(self) -> JSON:
        kind = self._random.random()
        if kind < 0.5:
            return self._token(is_whole=True)
        if kind < 0.8:
            return self._text()
        return self._object()

    def _text(self) -> str:
        parts = [self._one(_AROUND)]
        for _ in range(self._upto(3)):
            parts += [self._token(is_whole=False), self._one(_AROUND)]
        text = "".join(parts)
        # One that is nothing but a token is typed.
        return f"{text}." if text.startswith("{{") and text.endswith("}}") else text

    def _object(self) -> JsonObject:
        made: JsonObject = {f"k{number}": self._value() for number in range(self._upto(3))}
        if self._is(0.5):
            sources = [self._source() for _ in range(self._upto(3))]
            made["deep"] = {"x": 0, "list": [0]}
            made["$truto_merge"] = sources[0] if self._is(0.5) else sources
        return {"body": made} if self._is(0.3) else made

    def _value(self) -> JSON:
        kind = self._random.random()
        if kind < 0.5:
            return self._token(is_whole=True)
        if kind < 0.7:
            return self._text()
        return self._one([1, None, True, "plain", [], {"k": "v"}, ["{{args.id:int}}", "{{args.list:any}}"]])

    def _source(self) -> JSON:
        """Make what is to be merged, which is often not there."""
        if self._is(0.2):
            return self._one(["plain", None, 5, {"own": 1}, []])
        path = self._one([*_OBJECTS, *_ABSENT, "args.json_object", "args.list", "args.name"])
        return f"{{{{{path}:{self._one(['json', 'any'])}}}}}"

    def _token(self, *, is_whole: bool) -> str:
        alternatives = [self._alternative(is_whole=is_whole) for _ in range(1 if self._is(0.7) else self._upto(3))]
        default = self._default(is_whole=is_whole) if self._is(0.25) else ""
        space = " " if self._is(0.2) and not default else ""
        return f"{{{{{space}{'|'.join(alternatives)}{default}{space}}}}}"

    def _alternative(self, *, is_whole: bool) -> str:
        path, casts = self._path(is_whole=is_whole)
        words = [self._one(casts)] if casts and self._is(0.6) else []
        words += [self._one(["undefined", "null"])] if words and self._is(0.3) else []
        words += ["ignore-empty-str"] if words and self._is(0.2) else []
        space = " " if words and words[0] in _TYPED and self._is(0.1) else ""
        return ":".join([path, *([space + words[0], *words[1:]] if words else [])])

    def _path(self, *, is_whole: bool) -> tuple[str, Sequence[str]]:
        """Choose a path, and the casts with which both read it alike."""
        kind = self._random.random()
        if kind < 0.6:
            return self._one(_SCALARS), ("str", *_TYPED, *_AS_THEY_ARE)
        if kind < 0.65:
            return self._one(_NUMBERS), ("str", "num", "bool", *_AS_THEY_ARE)
        if kind < 0.75:
            return self._one(_LISTS), ("str", "bool", *_AS_THEY_ARE)
        if kind < 0.8:
            return self._one(_OBJECTS), ("bool", *_AS_THEY_ARE) if is_whole else ("str",)
        return self._one(_ABSENT), ("str", *_TYPED, *_AS_THEY_ARE, "undefined", "null")

    def _default(self, *, is_whole: bool) -> str:
        casts = (*_TYPED, "str", "json", "any") if is_whole else (*_TYPED, "str")
        cast = f":{self._one(casts)}" if self._is(0.5) else ""
        return f"?:{self._one(_DEFAULTS)}{cast}"

    def _one(self, choices: Sequence[T]) -> T:
        return choices[int(self._random.random() * len(choices))]

    def _upto(self, most: int) -> int:
        return 1 + int(self._random.random() * most)

    def _is(self, chance: float) -> bool:
        return self._random.random() < chance
