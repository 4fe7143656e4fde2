"""A blueprint per resource, whose routes say in one line what they take and what they answer."""

import re
from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus
from typing import Any, Final, TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema
from werkzeug.routing import BaseConverter, Map

from app.api import roles
from app.api.parsing import RequestParser
from app.engine.json_types import JsonObject
from app.engine.roles import Role

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = Schema | type[Schema]

ANY_ERROR: Final[JsonObject] = {"responses": {"default": "DEFAULT_ERROR"}}
"""Documents that a route may answer whatever error an account's API does."""

_CREATES: Final = "creates"
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
    ) -> None:
        """``reads`` and ``changes`` are the roles that GET and all else need, where a route does not say otherwise.

        ``actions`` are the words that stand below the path in the place of an id. ``is_for_accounts`` opens all routes
        to the tokens of integrated accounts.
        """
        super().__init__(name, __name__, url_prefix=f"/{name}", description=description)
        self._reads, self._changes, self._actions = reads, changes, actions
        self._is_for_accounts = is_for_accounts
        self._of_items: list[str] = []
        self._prepare_doc_cbks.append(self._link)

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
        """Serve a route by a view, which is given the loaded Body or query before the path's parameters.

        ``documented`` adds to the route's OpenAPI operation what the schemas do not say.
        """

        needed = role or (self._reads if method == "GET" else self._changes)
        errors = {*_ALWAYS, *_errors_of(method, rule, body, query)}

        def register(view: View) -> View:
            served = self.response(status, answer)(view)
            for error in sorted(errors):
                served = self.alt_response(error, response=error.name)(served)
            if body is not None:
                served = self.arguments(_instance(body), required=_has_required(body))(served)
            if query is not None:
                served = self.arguments(_instance(query), location="query")(served)
            if documented is not None:
                served = self.doc(**documented)(served)
            served = self.doc(**{_ROLE: needed.value})(served)
            if self._is_for_accounts:
                served = roles.open_to_accounts(self.doc(**{_FOR_ACCOUNTS: True})(served))
            self._note(method, rule, served)
            self.route(self._exact(rule), methods=[method])(roles.needs(needed)(served))
            return view

        return register

    def _note(self, method: str, rule: str, served: Any) -> None:
        """Note what creates things, and what may be done with one."""
        if rule == "/<id>":
            self._of_items.append(method.lower())
        served._apidoc[_CREATES] = method == "POST" and not rule

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


def _has_required(schema: SchemaLike) -> bool:
    return any(field.required for field in _instance(schema).fields.values())


def _instance(schema: SchemaLike) -> Schema:
    """Make a schema once: to make one copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
