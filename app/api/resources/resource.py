"""A blueprint per resource, whose routes declare their bodies, queries and answers in one place."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial, wraps
from http import HTTPStatus
from typing import Any, Final, TypeVar

import flask
from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter, Map

from app.api.documents.examples import answer_of, request_of
from app.api.documents.operations import Route, SchemaLike, describe_operation, number_statuses
from app.api.parsing import preconditions, preferences
from app.api.parsing.parsing import RequestParser, check_parameters
from app.api.resources import roles
from app.api.resources.services import environment, services
from app.api.resources.views import path_id
from app.api.schemas.fields import Input, ShownOnce
from app.api.schemas.save_warnings import take_is_warned, with_notes
from app.engine.ids import parse_id
from app.engine.json_types import JsonObject
from app.engine.objects.environments import Role
from app.engine.objects.lists import RowVersion

View = TypeVar("View", bound=Callable[..., Any])

ANY_ERROR: Final[JsonObject] = {"responses": {"default": "DEFAULT_ERROR"}}
"""Documents that a route may answer any error of an account's API."""

_CREATES: Final = "creates"
_HEADERS: Final = "headers"
_ROLE: Final = "x-role"
"""Where an operation of the OpenAPI document names the role that it needs."""
_FOR_ACCOUNTS: Final = "x-account-token"
"""Where it says that the token of an integrated account may call it."""


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
        answer: SchemaLike | None,
        status: int = 200,
        body: SchemaLike | None = None,
        query: SchemaLike | None = None,
        documented: JsonObject | None = None,
        role: Role | None = None,
    ) -> Callable[[View], View]:
        """Serve a route by a view, which receives the loaded Body or query before the path's parameters.

        A path's ``<id>`` is received in its canonical form, and is answered 404 when it is no UUID; ``<string:id>`` is
        received as it is.
        Without ``answer`` the view makes its own, such as a file, which ``documented`` describes.
        ``documented`` adds to the route's OpenAPI operation what the schemas do not say.
        """

        route = Route(
            resource=self.name,
            method=method,
            rule=rule,
            answer=answer,
            status=status,
            body=body,
            query=query,
            documented=documented or {},
            role=role or (self._reads if method == "GET" else self._changes),
            is_for_accounts=self._is_for_accounts,
        )

        def register(view: View) -> View:
            self._serve(view, route)
            return view

        return register

    def register_views_in_doc(self, api: Any, *place: Any, **names: Any) -> None:
        """Leave the documentation of the routes to whoever first reads it."""
        api.describe_later(partial(super().register_views_in_doc, api, *place, **names))

    def _serve(self, view: View, route: Route) -> None:
        operation = describe_operation(view, route)
        served = self._with_id(view) if "<id>" in route.rule else view
        served = with_notes(served) if route.body is not None else served
        served = self._with_preferences(served, route)
        served = self._with_answers(served, route, operation["operationId"])
        served = self._with_arguments(served, route, operation["operationId"])
        documented = number_statuses(route.documented, answer_of(operation["operationId"]))
        _describe(served, self.doc(**operation, **documented, **{_ROLE: route.role.value}))
        served = self._with_precondition(served, route.method) if route.is_of_item else served
        served = self._open_to_accounts(served)
        self._mark(served, route)
        self.route(self._separate_actions(route.rule), methods=[route.method])(roles.needs(route.role)(served))

    def _with_id(self, view: View) -> View:
        """Make a view receive the canonical id of its path, where objects are found by ids."""
        if self._is_free or self._place is not _find_by_id:
            return view

        @wraps(view)
        def call(*arguments: Any, id: str, **path: str) -> Any:
            return view(*arguments, id=path_id(self._kind, id), **path)

        return call  # type: ignore[return-value]

    def _with_preferences(self, view: View, route: Route) -> View:
        """Make a view apply the preferences of ``Prefer`` that concern every view."""
        if self._is_free:
            return view
        shown = None if route.answer is None else _instance(route.answer)
        if shown and route.method in ("POST", "PATCH") and "id" in shown.fields and not isinstance(shown, ShownOnce):
            view = preferences.shorten_answers(view)
        if route.query is None:
            parameters = {one["name"] for one in route.documented.get("parameters", []) if one["in"] == "query"}
            view = check_parameters(view, parameters)
        return view

    def _with_answers(self, served: View, route: Route, operation_id: str) -> View:
        """Dump a view's answer by its schema, and document that and the errors."""
        headers = {} if self._is_free else preferences.HEADERS
        tags = preconditions.HEADERS if route.is_of_item and route.method != "DELETE" else {}
        example = answer_of(operation_id)
        served = self.response(route.status, route.answer, headers={**headers, **tags}, example=example)(served)
        # As alt_response does, which wraps the view and copies its documentation once more for each error.
        documented: Any = served
        answers = documented._apidoc["response"]["responses"]
        for error in sorted({*route.errors}):
            answers.setdefault(error, []).append(error.name)
        return served

    def _with_arguments(self, served: View, route: Route, operation_id: str) -> View:
        """Make a view receive the loaded body and query of a request."""
        if route.body is not None:
            schema, example = self._body(route.body, route), request_of(operation_id)
            served = self.arguments(schema, required=_has_required(schema), example=example)(served)
        return served if route.query is None else self.arguments(_instance(route.query), location="query")(served)

    def _body(self, body: SchemaLike, route: Route) -> Schema:
        """Return a body's schema, with the fields of the answer that it ignores, and the object that it changes."""
        schema = _instance(body)
        if isinstance(schema, Input) and route.answer is not None and (not route.rule or route.is_of_item):
            schema.read_back = frozenset(_instance(route.answer).fields)
            if route.method == "PATCH" and route.rule:
                schema.stored = lambda: self._show(**(flask.request.view_args or {})).get_json()
        return schema

    def _open_to_accounts(self, served: View) -> View:
        """Open a route to the tokens of accounts, where all routes are."""
        if not self._is_for_accounts:
            return served
        _describe(served, self.doc(**{_FOR_ACCOUNTS: True}))
        return roles.open_to_accounts(served)

    def _with_precondition(self, served: View, method: str) -> View:
        """Make GET answer with an ETag, and changes compare the caller's If-Match with it first."""

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
        return services().reading.row_version(self._kind, environment(), place) if place else None

    def _mark(self, served: Any, route: Route) -> None:
        """Record for the document which route creates objects, and what may be done with one."""
        if route.rule == "/<id>":
            self._of_items.append(route.method.lower())
        if_match = [preconditions.PARAMETER] if route.takes_if_match else []
        served._apidoc[_CREATES] = route.method == "POST" and not route.rule
        served._apidoc[_HEADERS] = [] if self._is_free else [preferences.PARAMETER, *if_match]

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


def _describe(view: Any, documents: Callable[[Any], Any]) -> None:
    """Document a view as a decorator does, without the call that this would add to each request."""
    view._apidoc = documents(view)._apidoc


def _find_by_id(id: str) -> Mapping[str, str]:
    """Return the columns that find an object by its id; a text that is no UUID finds none."""
    canonical = parse_id(id)
    return {"id": canonical} if canonical else {}


def _has_required(schema: Schema) -> bool:
    return any(field.required for field in schema.fields.values())


def _instance(schema: SchemaLike) -> Schema:
    """Instantiate a schema once: that copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
