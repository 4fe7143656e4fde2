"""What the command line knows of one kind of object: its fields, how it is shown, and what comes next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote
from uuid import UUID

import click

from app.cli.next_steps import NextStep
from app.client import ApiClient
from app.engine.errors import NotFoundError
from app.engine.json_types import JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """A field of an object, and the option that sets it."""

    name: str
    option: str
    help: str
    kind: click.ParamType[Any] | None = None
    """How its text is read; None is as it is."""
    is_required: bool = False
    """When an object is created."""
    is_multiple: bool = False
    """The option may come again, and its values are a list."""
    is_flag: bool = False
    """The option has no value, and stands for true."""
    is_creatable: bool = True
    is_changeable: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of object."""

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
    """The fields that are arguments of ``create``, in this order."""
    fields: Sequence[Field] = ()
    filters: Sequence[Field] = ()
    name_field: str | None = None
    """A field that identifies one within an environment, and is taken in the place of its id."""
    after_create: Callable[[JsonObject], NextStep] | None = None

    @property
    def metavar(self) -> str:
        """The argument that identifies one."""
        return "ID" if self.name_field is None else "ID|NAME"

    def path_of(self, id: str) -> str:
        """Return the path of the object with an id."""
        return f"{self.path}/{quote(id, safe='')}"

    def find_path(self, client: ApiClient, name: str) -> str:
        """Return the path of the object with an id, or with a name; raise NotFoundError."""
        if self.name_field is None or _is_id(name):
            return self.path_of(name)
        found = client.get(self.path, {self.name_field: name, "limit": 1})["result"]
        if not found:
            raise NotFoundError(self.word, name)
        return self.path_of(found[0]["id"])


def _is_id(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
