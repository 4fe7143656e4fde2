"""What the document says of one operation: its id, a summary, a description."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from app.engine.json_types import JsonObject
from app.engine.roles import Role

_USUAL: Final[Mapping[tuple[str, str], str]] = {
    ("GET", ""): "list",
    ("POST", ""): "create",
    ("GET", "/<id>"): "get",
    ("PATCH", "/<id>"): "update",
    ("DELETE", "/<id>"): "delete",
}
"""The verb of a method on a collection, or on one object of it."""
_CONVERTER: Final = re.compile(r"<[^<>]*:")
_CODE: Final = "``"
"""Around code in docstrings; Markdown has one of these."""
_SUMMARY: Final = re.compile(r"(?:``.*?``|[^;:.]|[;:.](?! |$))+")


def describe_operation(
    view: Callable[..., Any], *, resource: str, method: str, rule: str, needed: Role, is_for_accounts: bool
) -> JsonObject:
    """Describe an operation by its view's docstring, with the role that it needs."""
    text = re.sub(r"\s*\n\s*", " ", (view.__doc__ or "").strip())
    tokens = " The token of an integrated account may call it too." if is_for_accounts else ""
    return {
        "operationId": operation_id(view.__name__, resource=resource, method=method, rule=rule),
        "summary": _summary(text),
        "description": f"{text.replace(_CODE, '`')}\n\nNeeds a token of the role `{needed}`.{tokens}",
    }


def operation_id(name: str, *, resource: str, method: str, rule: str) -> str:
    """Return an operation's id for generators: verb and resource of a usual operation, else the view's name."""
    verb = _USUAL.get((method, _CONVERTER.sub("<", rule)))
    if verb is None or "/" in resource:
        return _camel(name.split("_"))
    plural = "s" if verb == "list" else ""
    return _camel([verb, *f"{resource}{plural}".split("-")])


def _summary(text: str) -> str:
    """Return the text before the first full stop, semicolon or colon outside of code."""
    found = _SUMMARY.match(text)
    return found[0].replace(_CODE, "") if found else text


def _camel(words: list[str]) -> str:
    first, *others = words
    return first + "".join(word.capitalize() for word in others)
