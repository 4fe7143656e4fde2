"""A blueprint per resource, whose routes declare their bodies, queries and answers in one place."""

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
from app.api.documents.operations import describe_operation
from app.api.parsing import preconditions, preferences
from app.api.parsing.parsing import RequestParser, check_parameters
from app.api.resources import roles
from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.fields import Input, ShownOnce
from app.api.schemas.save_warnings import take_is_warned, with_notes
from app.engine.ids import canonical_id
from app.engine.json_types import JsonObject
from app.engine.objects.objects import RowVersion
from app.engine.roles import Role

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = Schema | type[Schema]

ANY_ERROR: Final[JsonObject] = {"responses": {"default": "DEFAULT_ERROR"}}
"""Documents that a route may answer any error of an account's API."""

_ITEMS: Final = ("/<id>", "/<path:id>")
"""The rules of routes that show, change and remove a single object."""
_CREATES: Final = "creates"
_HEADERS: Final = "headers"
_ROLE: Final = "x-role"
"""Where an operation of the OpenAPI document names the role that it needs."""
_FOR_ACCOUNTS: Final = "x-account-token"
"""Where it says that the token of an integrated account may call it."""
_ALWAYS: Final = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.FORBIDDEN,
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.SERVICE_UNAVAILABLE,
)


class OtherThan(BaseConverter):
    """A part of a path, except some words that have their own routes."""

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
        """``reads`` and ``changes`` are the roles that GET and other methods need, unless a route says otherwise.

        ``actions`` are the words that stand below the path in the place of an id. ``is_for_accounts`` opens all routes
        to the tokens of integrated accounts. A free resource has bodies and answers that others define. ``place``
        returns the columns that find an object by the last part of its path, where that is not its id.
        """
        super().__init__(name, __name__, url_prefix=f"/{name}", description=description)
        self._reads, self._changes, self._actions = reads, changes, actions
        self._is_for_accounts = is_for_accounts
        self._kind, self._is_free, self._place = name.replace("-", " "), is_free, place or _find_by_id
        self._get: Callable[..., flask.Response] | None = None
        self._of_items: list[str] = []
        self._prepare_doc_cbks += [self._document_links, self._document_headers]

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
            operation = describe_operation(
                view,
                resource=self.name,
                method=method,
                rule=rule,
                needed=needed,
                is_for_accounts=self._is_for_accounts,
            )
            served = self._with_id(view) if "<id>" in rule else view
            served = with_notes(served) if body is not None else served
            served = self._with_preferences(served, method, answer, query, documented or {})
            headers, example = self._answer_headers(method, rule), answer_of(operation["operationId"])
            served = self.response(status, answer, headers=headers, example=example)(served)
            for error in sorted(errors):
                served = self.alt_response(error, response=error.name)(served)
            if body is not None:
                example = request_of(operation["operationId"])
                schema = self._body(body, method, rule, answer)
                served = self.arguments(schema, required=_has_required(body), example=example)(served)
            if query is not None:
                served = self.arguments(_instance(query), location="query")(served)
            served = self.doc(**operation, **_with_numbers(documented or {}), **{_ROLE: needed.value})(served)
            served = self._with_precondition(method, served) if rule in _ITEMS else served
            served = self._open_to_accounts(served)
            self._mark(method, rule, served)
            self.route(self._separate_actions(rule), methods=[method])(roles.needs(needed)(served))
            return view

        return register

    def _body(self, body: SchemaLike, method: str, rule: str, answer: SchemaLike) -> Schema:
        """Return a body's schema, with the fields of the answer that it ignores, and the object that it changes."""
        schema = _instance(body)
        if isinstance(schema, Input) and rule in ("", *_ITEMS):
            schema.read_back = frozenset(_instance(answer).fields)
            if method == "PATCH" and rule:
                schema.stored = lambda: self._show(**(flask.request.view_args or {})).get_json()
        return schema

    def _with_id(self, view: View) -> View:
        """Have a view receive the canonical id of its path, where objects are found by ids."""
        if self._is_free or self._place is not _find_by_id:
            return view

        @wraps(view)
        def call(*arguments: Any, id: str, **path: str) -> Any:
            return view(*arguments, id=path_id(self._kind, id), **path)

        return call  # type: ignore[return-value]

    def _open_to_accounts(self, served: View) -> View:
        """Open a route to the tokens of accounts, where all routes are."""
        if not self._is_for_accounts:
            return served
        opened: View = roles.open_to_accounts(self.doc(**{_FOR_ACCOUNTS: True})(served))
        return opened

    def _answer_headers(self, method: str, rule: str) -> JsonObject:
        """Return the documented headers of an answer."""
        preferred = {} if self._is_free else preferences.HEADERS
        return {**preferred, **(preconditions.HEADERS if rule in _ITEMS and method != "DELETE" else {})}

    def _with_preferences(
        self, view: View, method: str, answer: SchemaLike, query: SchemaLike | None, documented: JsonObject
    ) -> View:
        """Have a view apply the preferences of ``Prefer`` that concern every view."""
        if self._is_free:
            return view
        shown = _instance(answer)
        if method in ("POST", "PATCH") and "id" in shown.fields and not isinstance(shown, ShownOnce):
            view = preferences.shorten_answers(view)
        if query is None:
            parameters = {one["name"] for one in documented.get("parameters", []) if one["in"] == "query"}
            view = check_parameters(view, parameters)
        return view

    def _with_precondition(self, method: str, served: View) -> View:
        """Have GET answer with an ETag, and changes compare the caller's If-Match with it first."""

        @wraps(served)
        def call(*arguments: Any, **path: str) -> flask.Response:
            if method != "GET":
                preconditions.check(lambda: self._version(path["id"]), lambda: self._show(**path))
            response: flask.Response = served(*arguments, **path)
            if method != "DELETE" and not preferences.is_shortened():
                self._tag(response, path)
            return response

        if method == "GET":
            self._get = call
        return call  # type: ignore[return-value]

    def _tag(self, response: flask.Response, path: Mapping[str, str]) -> None:
        """Set the ETag that GET answers, also where this answer has warnings beside the object."""
        tag, _ = self._show(**path).get_etag() if take_is_warned() else (None, False)
        if tag is not None:
            response.set_etag(tag)
        else:
            response.add_etag()

    def _show(self, **path: str) -> flask.Response:
        """Answer as GET does."""
        if self._get is None:
            raise LookupError(f"/{self.name} has no GET")
        return self._get(**path)

    def _version(self, id: str) -> RowVersion | None:
        place = self._place(id)
        return services().row_versions.of(self._kind, environment(), place) if place else None

    def _mark(self, method: str, rule: str, served: Any) -> None:
        """Record for the document which route creates objects, and what may be done with one."""
        if rule == "/<id>":
            self._of_items.append(method.lower())
        served._apidoc[_CREATES] = method == "POST" and not rule
        served._apidoc[_HEADERS] = [] if self._is_free else _header_parameters(method, rule)

    def _document_headers(self, doc: JsonObject, noted: JsonObject, **_: Any) -> JsonObject:
        """Document the headers of requests, beside the parameters of a route or of its query."""
        manual = noted.get("manual_doc", {})
        place = manual if "parameters" in manual else doc
        place["parameters"] = [*place.get("parameters", []), *noted.get(_HEADERS, [])]
        return doc

    def _document_links(self, doc: JsonObject, noted: JsonObject, **_: Any) -> JsonObject:
        """Document the links of a creation's answer, once all routes are known."""
        if noted.get(_CREATES):
            path = f"{self.url_prefix}/%7Bid%7D".replace("/", "~1")
            made = {"id": "$response.body#/id"}
            links = {name: {"operationRef": f"#/paths/{path}/{name}", "parameters": made} for name in self._of_items}
            for status, answer in doc["responses"].items():
                if links and int(status) == HTTPStatus.CREATED:
                    answer["links"] = links
        return doc

    def _separate_actions(self, rule: str) -> str:
        """Exclude the words of actions from ids, so that each path allows the methods of its own routes only."""
        words = ", ".join(f'"{word}"' for word in self._actions)
        return rule.replace("<id>", f"<other_than({words}):id>") if words else rule


def _with_numbers(documented: JsonObject) -> JsonObject:
    """Write statuses as numbers, as flask-smorest does, so that both descriptions of an answer are merged."""
    answers = {
        int(status) if status.isdigit() else status: one for status, one in documented.get("responses", {}).items()
    }
    return {**documented, "responses": answers} if answers else documented


def document_answers(*errors: HTTPStatus, like: SchemaLike | None = None) -> JsonObject:
    """Document errors beyond those of every route of a kind, and a 200 with an answer where 201 is usual."""
    found: JsonObject = {str(int(error)): error.name for error in errors}
    if like is not None:
        found["200"] = {"description": "What was there", "content": {"application/json": {"schema": like}}}
    return {"responses": found}


def _errors_of(method: str, rule: str, body: SchemaLike | None, query: SchemaLike | None) -> Iterator[HTTPStatus]:
    """Yield the errors that every route of a kind answers."""
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


def _header_parameters(method: str, rule: str) -> list[JsonObject]:
    return [preferences.PARAMETER, *([preconditions.PARAMETER] if _takes_if_match(method, rule) else [])]


def _find_by_id(id: str) -> Mapping[str, str]:
    """Return the columns that find an object by its id; a text that is no UUID finds none."""
    canonical = canonical_id(id)
    return {"id": canonical} if canonical else {}


def _has_required(schema: SchemaLike) -> bool:
    return any(field.required for field in _instance(schema).fields.values())


def _instance(schema: SchemaLike) -> Schema:
    """Instantiate a schema once: that copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
