"""A blueprint per resource, whose routes say in one line what they take and what they answer."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar

import flask
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter, Map

from app.api.documents.examples import answer_of, request_of
from app.api.documents.operations import described
from app.api.parsing import preconditions, preferences
from app.api.parsing.parsing import RequestParser, strict_about_parameters
from app.api.resources import roles
from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.fields import Input, ShownOnce
from app.api.schemas.warned import take_warned, with_notes
from app.engine.ids import canonical_id
from app.engine.json_types import JsonObject
from app.engine.objects.objects import RowVersion
from app.engine.roles import Role

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = Schema | type[Schema]

ANY_ERROR: Final[JsonObject] = {"responses": {"default": "DEFAULT_ERROR"}}
"""Documents that a route may answer whatever error an account's API does."""

_ITEMS: Final = ("/<id>", "/<path:id>")
"""Where a single thing is shown, changed and removed."""
_CREATES: Final = "creates"
_HEADERS: Final = "headers"
_ROLE: Final = "x-role"
"""Where an operation of the OpenAPI document names the role that it needs."""
_FOR_ACCOUNTS: Final = "x-account-token"
"""Where it tells that the token of an integrated account may call it."""
_ALWAYS: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class OtherThan(BaseConverter):
    """A part of a path that is none of some words, which are routes of their own."""

    def __init__(self, map: Map, *words: str) -> None:
        super().__init__(map)
        self.regex = rf"(?!(?:{'|'.join(re.escape(word) for word in words)})(?:/|\Z))[^/]+"


class Resource(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """The routes below one path; each is parsed, answered and documented by the same schemas."""

    ARGUMENTS_PARSER = RequestParser()

    def __init__(
        self,
        name: str,
        *,
        description: str,
        changes: Role,
        reads: Role = Role.READ,
        actions: Sequence[str] = (),
        is_for_accounts: bool = False,
        is_free: bool = False,
        place: Callable[[str], Mapping[str, str]] | None = None,
    ) -> None:
        """``reads`` and ``changes`` are the roles that GET and all else need, where a route does not say otherwise.

        ``actions`` are the words that stand below the path in the place of an id. ``is_for_accounts`` opens all routes
        to the tokens of integrated accounts. A free resource takes and gives what others have defined. ``place`` tells
        what finds a thing by what stands in its path, when that is no id.
        """
        super().__init__(name, __name__, url_prefix=f"/{name}", description=description)
        self._reads, self._changes, self._actions = reads, changes, actions
        self._is_for_accounts = is_for_accounts
        self._kind, self._is_free, self._place = name.replace("-", " "), is_free, place or _by_id
        self._show: Callable[..., flask.Response] | None = None
        self._of_items: list[str] = []
        self._prepare_doc_cbks += [self._link, self._head]

    def serves(
        self,
        method: str,
        rule: str = "",
        *,
        answer: SchemaLike,
        status: int = 200,
        body: SchemaLike | None = None,
        query: SchemaLike | None = None,
        documented: JsonObject | None = None,
        role: Role | None = None,
    ) -> Callable[[View], View]:
        """Serve a route by a view, which receives the loaded Body or query before the path's parameters.

        A path's ``<id>`` is received in its canonical form, and is answered 404 when it is no UUID; ``<string:id>`` is
        received as it is.
        ``documented`` adds to the route's OpenAPI operation what the schemas do not say.
        """

        needed = role or (self._reads if method == "GET" else self._changes)
        errors = {*_ALWAYS, *_errors_of(method, rule, body, query)}

        def register(view: View) -> View:
            told = described(
                view,
                resource=self.name,
                method=method,
                rule=rule,
                needed=needed,
                is_for_accounts=self._is_for_accounts,
            )
            found = self._with_id(view) if "<id>" in rule else view
            noted = with_notes(found) if body is not None else found
            mannered = self._mannered(noted, method, answer, query, documented or {})
            example = answer_of(told["operationId"])
            served = self.response(status, answer, headers=self._told(method, rule), example=example)(mannered)
            for error in sorted(errors):
                served = self.alt_response(error, response=error.name)(served)
            if body is not None:
                example = request_of(told["operationId"])
                schema = self._body(body, method, rule, answer)
                served = self.arguments(schema, required=_has_required(body), example=example)(served)
            if query is not None:
                served = self.arguments(_instance(query), location="query")(served)
            served = self.doc(**told, **_with_numbers(documented or {}), **{_ROLE: needed.value})(served)
            served = self._compared(method, served) if rule in _ITEMS else served
            served = self._opened(served)
            self._note(method, rule, served)
            self.route(self._exact(rule), methods=[method])(roles.needs(needed)(served))
            return view

        return register

    def _body(self, body: SchemaLike, method: str, rule: str, answer: SchemaLike) -> Schema:
        """Return a body's schema that knows what of the answer may come back, and what there is to change."""
        schema = _instance(body)
        if isinstance(schema, Input) and rule in ("", *_ITEMS):
            schema.read_back = frozenset(_instance(answer).fields)
            if method == "PATCH" and rule:
                schema.stored = lambda: self._shown(**(flask.request.view_args or {})).get_json()
        return schema

    def _with_id(self, view: View) -> View:
        """Have a view receive the canonical id of what its path names, where things are found by ids."""
        if self._is_free or self._place is not _by_id:
            return view

        @wraps(view)
        def called(*arguments: Any, id: str, **path: str) -> Any:
            return view(*arguments, id=path_id(self._kind, id), **path)

        return called  # type: ignore[return-value]

    def _opened(self, served: View) -> View:
        """Let the tokens of accounts in, where all routes are for them."""
        if not self._is_for_accounts:
            return served
        opened: View = roles.open_to_accounts(self.doc(**{_FOR_ACCOUNTS: True})(served))
        return opened

    def _told(self, method: str, rule: str) -> JsonObject:
        """Document the headers of an answer."""
        preferred = {} if self._is_free else preferences.HEADERS
        return {**preferred, **(preconditions.HEADERS if rule in _ITEMS and method != "DELETE" else {})}

    def _mannered(
        self, view: View, method: str, answer: SchemaLike, query: SchemaLike | None, documented: JsonObject
    ) -> View:
        """Have a view meet the wishes of ``Prefer`` that concern every one."""
        if self._is_free:
            return view
        shown = _instance(answer)
        if method in ("POST", "PATCH") and "id" in shown.fields and not isinstance(shown, ShownOnce):
            view = preferences.shortened(view)
        if query is None:
            parameters = {one["name"] for one in documented.get("parameters", []) if one["in"] == "query"}
            view = strict_about_parameters(view, parameters)
        return view

    def _compared(self, method: str, served: View) -> View:
        """Tag a thing that is shown, and have a changing view compare the caller's tag with it before."""

        @wraps(served)
        def compared(*arguments: Any, **path: str) -> flask.Response:
            if method != "GET":
                preconditions.check(lambda: self._version(path["id"]), lambda: self._shown(**path))
            response: flask.Response = served(*arguments, **path)
            if method != "DELETE" and not preferences.is_shortened():
                self._tag(response, path)
            return response

        if method == "GET":
            self._show = compared
        return compared  # type: ignore[return-value]

    def _tag(self, response: flask.Response, path: Mapping[str, str]) -> None:
        """Tag an answer as GET does what it shows, also where it tells more."""
        tag, _ = self._shown(**path).get_etag() if take_warned() else (None, False)
        if tag is not None:
            response.set_etag(tag)
        else:
            response.add_etag()

    def _shown(self, **path: str) -> flask.Response:
        """Show a thing as GET does."""
        if self._show is None:
            raise LookupError(f"nothing of /{self.name} is shown")
        return self._show(**path)

    def _version(self, id: str) -> RowVersion | None:
        place = self._place(id)
        return services().row_versions.of(self._kind, environment(), place) if place else None

    def _note(self, method: str, rule: str, served: Any) -> None:
        """Note what creates things, and what may be done with one."""
        if rule == "/<id>":
            self._of_items.append(method.lower())
        served._apidoc[_CREATES] = method == "POST" and not rule
        served._apidoc[_HEADERS] = [] if self._is_free else _headers_of(method, rule)

    def _head(self, doc: JsonObject, noted: JsonObject, **_: Any) -> JsonObject:
        """Document the headers of requests: beside what a route says of its parameters, or what its query is."""
        told = noted.get("manual_doc", {})
        place = told if "parameters" in told else doc
        place["parameters"] = [*place.get("parameters", []), *noted.get(_HEADERS, [])]
        return doc

    def _link(self, doc: JsonObject, noted: JsonObject, **_: Any) -> JsonObject:
        """Document where a creation leads to, once all routes are known."""
        if noted.get(_CREATES):
            path = f"{self.url_prefix}/%7Bid%7D".replace("/", "~1")
            made = {"id": "$response.body#/id"}
            links = {name: {"operationRef": f"#/paths/{path}/{name}", "parameters": made} for name in self._of_items}
            for status, answer in doc["responses"].items():
                if links and int(status) == HTTPStatus.CREATED:
                    answer["links"] = links
        return doc

    def _exact(self, rule: str) -> str:
        """Keep ids and actions apart, so that each path offers what its own routes do and nothing else."""
        words = ", ".join(f'"{word}"' for word in self._actions)
        return rule.replace("<id>", f"<other_than({words}):id>") if words else rule


def _with_numbers(documented: JsonObject) -> JsonObject:
    """Write statuses as numbers, as flask-smorest does: what is said of an answer is then added to what it says."""
    answers = {
        int(status) if status.isdigit() else status: one for status, one in documented.get("responses", {}).items()
    }
    return {**documented, "responses": answers} if answers else documented


def answering(*errors: HTTPStatus, like: SchemaLike | None = None) -> JsonObject:
    """Document errors beyond those of every route of a kind, and a 200 with an answer where 201 is usual."""
    found: JsonObject = {str(int(error)): error.name for error in errors}
    if like is not None:
        found["200"] = {"description": "What was there", "content": {"application/json": {"schema": like}}}
    return {"responses": found}


def _errors_of(method: str, rule: str, body: SchemaLike | None, query: SchemaLike | None) -> Iterator[HTTPStatus]:
    """Tell which errors every route of a kind answers."""
    if method != "GET" or query is not None:
        yield HTTPStatus.BAD_REQUEST
    if "<" in rule or body is not None:
        yield HTTPStatus.NOT_FOUND
    if method in ("POST", "PATCH"):
        yield HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    if _takes_if_match(method, rule):
        yield HTTPStatus.PRECONDITION_FAILED


def _takes_if_match(method: str, rule: str) -> bool:
    return rule in _ITEMS and method in ("PATCH", "DELETE")


def _headers_of(method: str, rule: str) -> list[JsonObject]:
    return [preferences.PARAMETER, *([preconditions.PARAMETER] if _takes_if_match(method, rule) else [])]


def _by_id(id: str) -> Mapping[str, str]:
    """Find a thing by its id; a text that is none finds nothing."""
    canonical = canonical_id(id)
    return {"id": canonical} if canonical else {}


def _has_required(schema: SchemaLike) -> bool:
    return any(field.required for field in _instance(schema).fields.values())


def _instance(schema: SchemaLike) -> Schema:
    """Make a schema once: to make one copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
