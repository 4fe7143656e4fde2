"""A blueprint per resource, whose routes say in one line what they take and what they answer."""

from collections.abc import Callable
from typing import Any, Final, TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema

from app.api import roles
from app.api.parsing import RequestParser
from app.engine.json_types import JsonObject
from app.engine.roles import Role

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = Schema | type[Schema]

_ROLE: Final = "x-role"
"""Where an operation of the OpenAPI document names the role that it needs."""


class Resource(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """The routes below one path; each is parsed, answered and documented by the same schemas."""

    ARGUMENTS_PARSER = RequestParser()

    def __init__(self, name: str, *, description: str, changes: Role, reads: Role = Role.READ) -> None:
        """``reads`` and ``changes`` are the roles that GET and all else need, where a route does not say otherwise."""
        super().__init__(name, __name__, url_prefix=f"/{name}", description=description)
        self._reads, self._changes = reads, changes

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

        def register(view: View) -> View:
            served = self.response(status, answer)(view)
            if body is not None:
                served = self.arguments(_instance(body), required=method != "PATCH")(served)
            if query is not None:
                served = self.arguments(_instance(query), location="query")(served)
            if documented is not None:
                served = self.doc(**documented)(served)
            served = self.doc(**{_ROLE: needed.value})(served)
            self.route(rule, methods=[method])(roles.needs(needed)(served))
            return view

        return register


def _instance(schema: SchemaLike) -> Schema:
    """Make a schema once: to make one copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
