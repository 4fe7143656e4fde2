"""What the document says of one operation: its id, a summary, a description, its answers."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, TypeAlias

from marshmallow import Schema

from app.engine.json_types import JSON, JsonObject
from app.engine.objects.environments import Role

SchemaLike: TypeAlias = Schema | type[Schema]

_USUAL: Final[Mapping[tuple[str, str], str]] = {
    ("GET", ""): "list",
    ("POST", ""): "create",
    ("GET", "/<id>"): "get",
    ("PATCH", "/<id>"): "update",
    ("DELETE", "/<id>"): "delete",
}
"""The verb of a method on a collection, or on one object of it."""
_ALWAYS: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)
_CONVERTER: Final = re.compile(r"<[^<>]*:")
_CODE: Final = "``"
"""Around code in docstrings; Markdown has one of these."""
_SUMMARY: Final = re.compile(r"(?:``.*?``|[^;:.]|[;:.](?! |$))+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route as its resource declares it."""

    resource: str
    """The path of its resource, without the first slash."""
    method: str
    rule: str
    """The rest of the path."""
    answer: SchemaLike | None
    """None: the view makes it."""
    status: int
    body: SchemaLike | None
    query: SchemaLike | None
    documented: JsonObject
    """What the schemas do not say of the operation."""
    role: Role
    """Needed to call it."""
    is_for_accounts: bool
    """The tokens of accounts may call it too."""

    @property
    def is_of_item(self) -> bool:
        """Whether it shows, changes or removes a single object."""
        return self.rule in ("/<id>", "/<path:id>")

    @property
    def takes_if_match(self) -> bool:
        """Whether it changes or removes an object only as the caller's If-Match names it."""
        return self.is_of_item and self.method in ("PATCH", "DELETE")

    @property
    def errors(self) -> Iterator[HTTPStatus]:
        """The errors that every route of its kind answers."""
        yield from _ALWAYS
        if self.method != "GET" or self.query is not None:
            yield HTTPStatus.BAD_REQUEST
        if "<" in self.rule or self.body is not None:
            yield HTTPStatus.NOT_FOUND
        if self.method in ("POST", "PATCH"):
            yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        if self.takes_if_match:
            yield HTTPStatus.PRECONDITION_FAILED


def describe_operation(view: Callable[..., Any], route: Route) -> JsonObject:
    """Describe an operation by its view's docstring, with the role that it needs."""
    text = re.sub(r"\s*\n\s*", " ", (view.__doc__ or "").strip())
    tokens = " The token of an integrated account may call it too." if route.is_for_accounts else ""
    return {
        "operationId": _operation_id(view.__name__, route),
        "summary": _summary(text),
        "description": f"{text.replace(_CODE, '`')}\n\nNeeds a token of the role `{route.role}`.{tokens}",
    }


def _operation_id(name: str, route: Route) -> str:
    """Return an operation's id for generators: verb and resource of a usual operation, else the view's name."""
    verb = _USUAL.get((route.method, _CONVERTER.sub("<", route.rule)))
    if verb is None or "/" in route.resource:
        return _camel(name.split("_"))
    plural = "s" if verb == "list" else ""
    return _camel([verb, *f"{route.resource}{plural}".split("-")])


def number_statuses(documented: JsonObject, example: JSON = None) -> JsonObject:
    """Write statuses as numbers, as flask-smorest does, so that both descriptions of an answer are merged.

    A 200 that answers what is usually a 201 gets its example too.
    """
    answers = {
        int(status) if status.isdigit() else status: one for status, one in documented.get("responses", {}).items()
    }
    if example is not None and "content" in answers.get(200, {}):
        content = {kind: {**one, "example": example} for kind, one in answers[200]["content"].items()}
        answers[200] = {**answers[200], "content": content}
    return {**documented, "responses": answers} if answers else documented


def document_answers(*errors: HTTPStatus, like: SchemaLike | None = None) -> JsonObject:
    """Document errors beyond those of every route of a kind, and a 200 with an answer where 201 is usual."""
    found: JsonObject = {str(int(error)): error.name for error in errors}
    if like is not None:
        found["200"] = {"description": "What was there", "content": {"application/json": {"schema": like}}}
    return {"responses": found}


def _summary(text: str) -> str:
    """Return the text before the first full stop, semicolon or colon outside of code."""
    found = _SUMMARY.match(text)
    return found[0].replace(_CODE, "") if found else text


def _camel(words: list[str]) -> str:
    first, *others = words
    return first + "".join(word.capitalize() for word in others)
