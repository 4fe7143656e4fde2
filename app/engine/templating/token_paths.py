"""The paths within a placeholder: ``users.id``, ``x[0].id``, ``a.@odata.id``, ``a["b c"]``, ``a.`dc:title` ``.

A key that begins with ``@`` takes the rest of its path, since nothing is below an XML attribute and OData's own keys
have dots. A key of any characters but its quotes stands in backticks or double quotes, or in brackets and any quotes.
"""

import re
from collections.abc import Iterator
from typing import Final

from app.engine.paths import Path

_KEY_MARK: Final = "\x00"
_BRACKETS_MARK: Final = "\x01"
_QUOTED: Final = re.compile(
    r"""\[[^\S\n]*(?:(?P<index>-?[0-9]{1,9})|'(?P<a>[^']+)'|"(?P<b>[^"]+)"|`(?P<c>[^`]+)`)[^\S\n]*\]"""
    r"""|`(?P<d>[^`]+)`|"(?P<e>[^"]+)\""""
)
_SEGMENT: Final = re.compile(
    rf"(?:{_KEY_MARK}|(?P<name>[\w\-/?$#+~%&=!][\w\-/?$#+~%&=!@]*)|(?P<rest>@[\w\-/?$#+~%&=!@.]*[\w\-/?$#+~%&=!]))"
    rf"(?P<brackets>{_BRACKETS_MARK}*)(?P<end>\.|$)"
)
_DEFAULT: Final = re.compile(rf"(?:{_QUOTED.pattern})|(?P<default>\?:)")


def split_default(source: str) -> tuple[str, str]:
    """Split a placeholder at the ``?:`` that stands in no quotes."""
    for found in _DEFAULT.finditer(source):
        if found["default"]:
            return source[: found.start()], source[found.end() :]
    return source, ""


def mask(source: str) -> tuple[str, tuple[str, ...]]:
    """Put a mark for each quoted key and pair of brackets, so that a text can be split; return it and the keys.

    Raises ValueError for characters that no placeholder may hold.
    """
    if _KEY_MARK in source or _BRACKETS_MARK in source:
        raise ValueError("holds a control character")
    keys = tuple(_key(found) for found in _QUOTED.finditer(source))
    return _QUOTED.sub(_mark, source), keys


def read_paths(text: str, keys: Iterator[str]) -> list[Path]:
    """Read the paths of a masked text, parted by spaces, taking its marks' keys; raise ValueError."""
    paths = [_path(path, keys) for path in text.split()]
    if not paths or None in paths:
        raise ValueError(f"holds no dotted path where '{shown(text)}' stands; other keys are put in backticks")
    return [path for path in paths if path is not None]


def parse_path(source: str) -> Path:
    """Read one path; raise ValueError that says what is wrong."""
    text, keys = mask(source)
    paths = read_paths(text, iter(keys))
    if len(paths) > 1:
        raise ValueError(f"holds several paths where '{source.strip()}' stands")
    return paths[0]


def shown(text: str) -> str:
    """Show a masked text in an error."""
    return text.strip().replace(_KEY_MARK, "`…`").replace(_BRACKETS_MARK, "[…]")


def _path(text: str, keys: Iterator[str]) -> Path | None:
    path: list[str] = []
    at = 0
    while found := _SEGMENT.match(text, at):
        path.append(found["name"] or found["rest"] or next(keys))
        path += [next(keys) for _ in found["brackets"]]
        at = found.end()
        if not found["end"]:
            return tuple(path)
    return None


def _mark(found: re.Match[str]) -> str:
    return _BRACKETS_MARK if found[0].startswith("[") else _KEY_MARK


def _key(found: re.Match[str]) -> str:
    return next(group for group in found.groups() if group is not None)
