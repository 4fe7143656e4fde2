"""A blueprint per resource, whose routes say in one line what they take and what they answer."""

from collections.abc import Callable
from typing import Any, TypeVar

from flask_smorest import Blueprint
from marshmallow import Schema

from app.api.parsing import RequestParser
from app.engine.json_types import JsonObject

View = TypeVar("View", bound=Callable[..., Any])
SchemaLike = Schema | type[Schema]


class Resource(Blueprint):  # type: ignore[misc]  # flask-smorest has no types
    """The routes below one path; each is parsed, answered and documented by the same schemas."""

    ARGUMENTS_PARSER = RequestParser()

    def __init__(self, name: str, *, description: str) -> None:
        super().__init__(name, __name__, url_prefix=f"/{name}", description=description)

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
    ) -> Callable[[View], View]:
        """Serve a route by a view, which is given the loaded Body or query before the path's parameters.

        ``documented`` adds to the route's OpenAPI operation what the schemas do not say.
        """

        def register(view: View) -> View:
            served = self.response(status, answer)(view)
            if body is not None:
                served = self.arguments(_instance(body), required=method != "PATCH")(served)
            if query is not None:
                served = self.arguments(_instance(query), location="query")(served)
            if documented is not None:
                served = self.doc(**documented)(served)
            self.route(rule, methods=[method])(served)
            return view

        return register


def _instance(schema: SchemaLike) -> Schema:
    """Make a schema once: to make one copies all of its fields, which takes longer than to load a body."""
    return schema if isinstance(schema, Schema) else schema()
