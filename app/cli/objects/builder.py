"""Build the commands of a kind of object: list, show, create, update, delete."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import click

from app.cli.calling import (
    Answer,
    JsonArgument,
    add_named_argument,
    drop_none,
    limit_option,
    pass_client,
    print_answer,
    print_facts,
    print_page,
)
from app.cli.next_steps import NextStep
from app.cli.objects.kinds import Field, Kind
from app.client import ApiClient
from app.engine.json_types import JsonObject

Decorator = Callable[[Callable[..., None]], Callable[..., None]]


def build_group(kind: Kind, help: str, **helps: str) -> click.Group:
    """Return the group of a kind, with those of the usual commands that ``helps`` describes."""
    group = click.Group(kind.group, help=help)
    for verb, build in _BUILDERS.items():
        if verb in helps:
            group.add_command(click.command(verb, help=helps[verb])(build(kind)))
    return group


def answer_object(kind: Kind, found: JsonObject, next_step: NextStep = ()) -> Answer:
    """Return the answer that shows one object."""

    def show() -> None:
        print_facts(kind.title(found), [(name, found.get(name)) for name in kind.facts])
        for warning in found.get("warnings") or ():
            where = warning.get("path") or warning.get("resource")
            text = f"{where}: {warning['message']}" if where else warning["message"]
            click.echo(f"warning: {text}", err=True)

    return Answer(found, show, next_step)


def _build_create(kind: Kind) -> Callable[..., None]:
    def create(client: ApiClient, *, body: JsonObject | None, **values: Any) -> Answer:
        made = client.post(kind.path, {**(body or {}), **_read_fields(values)})
        return answer_object(kind, made, () if kind.after_create is None else kind.after_create(made))

    options = [_build_option(field, is_required=field.is_required) for field in kind.fields if field.is_creatable]
    arguments = [add_named_argument(name) for name in kind.arguments]
    return _decorate(create, [_body_option, *arguments, *options])


def _build_list(kind: Kind) -> Callable[..., None]:
    def list_objects(client: ApiClient, *, limit: int, **filters: Any) -> Answer:
        page = client.get(kind.path, {"limit": limit, **filters})
        none = f"There are no such {kind.word}s."
        return Answer(page, lambda: print_page(page, kind.columns, limit=limit, none=none))

    filters = [_build_option(field, is_required=False) for field in kind.filters]
    return _decorate(list_objects, [limit_option, *filters])


def _build_show(kind: Kind) -> Callable[..., None]:
    def show(client: ApiClient, *, name: str) -> Answer:
        return answer_object(kind, client.get(kind.find_path(client, name)))

    return _decorate(show, [add_named_argument("name", metavar=kind.metavar)])


def _build_update(kind: Kind) -> Callable[..., None]:
    def update(client: ApiClient, *, name: str, body: JsonObject | None, **values: Any) -> Answer:
        change = {**(body or {}), **_read_fields(values)}
        if not change:
            raise click.UsageError("nothing to change: give an option, or --body")
        changed = client.patch(kind.find_path(client, name), change)
        return answer_object(kind, changed, (kind.group, "show", name))

    options = [_build_option(field, is_required=False) for field in kind.fields if field.is_changeable]
    return _decorate(update, [add_named_argument("name", metavar=kind.metavar), _body_option, *options])


def _build_delete(kind: Kind) -> Callable[..., None]:
    def delete(client: ApiClient, *, name: str) -> Answer:
        removed = client.delete(kind.find_path(client, name))
        return Answer(removed, f"removed {kind.word} {removed['id']}", (kind.group, "list"))

    return _decorate(delete, [add_named_argument("name", metavar=kind.metavar)])


def _build_option(field: Field, *, is_required: bool) -> Decorator:
    return click.option(
        field.option,
        field.name,
        type=field.kind,
        help=field.help,
        required=is_required,
        multiple=field.is_multiple,
        is_flag=field.is_flag or None,
        default=None,
    )


_body_option: Final = click.option(
    "--body", type=JsonArgument(), help="All other fields, as the API takes them: JSON, or @file."
)


def _decorate(command: Callable[..., Answer], decorators: Sequence[Decorator]) -> Callable[..., None]:
    """Return a command that calls the API and prints its answer, with parameters in this order."""
    decorated = print_answer(pass_client(command))
    for decorate in reversed(decorators):
        decorated = decorate(decorated)
    return decorated


def _read_fields(values: Mapping[str, Any]) -> JsonObject:
    """Return the fields that options and arguments set."""
    lists = {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}
    return drop_none({name: value for name, value in lists.items() if value != []})


_BUILDERS: Final[Mapping[str, Callable[[Kind], Callable[..., None]]]] = {
    "create": _build_create,
    "list": _build_list,
    "show": _build_show,
    "update": _build_update,
    "delete": _build_delete,
}
