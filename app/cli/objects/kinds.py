"""What the command line knows of one kind of thing: its fields, how it is shown, and what comes next."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote
from uuid import UUID

import click

from app.client import ApiClient
from app.engine.errors import NotFoundError
from app.engine.json_types import JSON, JsonObject

NextStep = tuple[str, ...]
"""The words of the command that mostly comes next."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of a thing, and the option that sets it."""

    name: str
    option: str
    help: str
    kind: click.ParamType[Any] | None = None
    """How its text is read; None is as it is."""
    is_required: bool = False
    """When a thing is created."""
    is_multiple: bool = False
    """The option may come again, and its values are a list."""
    is_flag: bool = False
    """The option has no value, and stands for true."""
    is_creatable: bool = True
    is_changeable: bool = True

    @property
    def parameter(self) -> str:
        """The name of the option within Python."""
        return self.name.replace(".", "_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of thing."""

    word: str
    """What people call it."""
    group: str
    """The command whose subcommands are about it."""
    path: str
    columns: Sequence[str]
    """Of its table."""
    facts: Sequence[str]
    """What is shown of a single one below its title."""
    title: Callable[[JsonObject], str]
    arguments: Sequence[str] = ()
    """The fields that are no options but come first when one is created, in this order."""
    fields: Sequence[Field] = ()
    filters: Sequence[Field] = ()
    name_field: str | None = None
    """A field that names one within an environment, by which it may be called instead of by its id."""
    after_create: Callable[[JsonObject], NextStep] | None = None

    def place(self, client: ApiClient, name: str) -> str:
        """Return the path of the thing of an id, or of a name where things have such; raise NotFoundError."""
        if self.name_field is None or _is_id(name):
            return f"{self.path}/{quote(name, safe='')}"
        found = client.get(self.path, {self.name_field: name, "limit": 1})["result"]
        if not found:
            raise NotFoundError(self.word, name)
        return f"{self.path}/{found[0]['id']}"

    def row(self, found: JsonObject) -> JsonObject:
        """Return a thing as a line of a table; ``a.b`` is a column of what is within."""
        return {column: within(found, column) for column in self.columns}


def within(found: JSON, path: str) -> JSON:
    """Return what a dotted path leads to; None where it leads nowhere."""
    for part in path.split("."):
        if not isinstance(found, Mapping) or part not in found:
            return None
        found = found[part]
    return found


ID: Final = "id"


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
