"""Build the commands of a kind of thing: list, show, create, update, delete."""

from collections.abc import Callable, Mapping
from typing import Any

import click

from app.cli.calling import (
    JsonArgument,
    connected,
    given,
    json_option,
    limit_option,
    named_argument,
    print_facts,
    print_json,
    print_table,
)
from app.cli.next_steps import tell_next
from app.cli.objects.kinds import Field, Kind, within
from app.client import ApiClient
from app.engine.json_types import JsonObject

_VERBS = ("create", "list", "show", "update", "delete")


def add_commands(group: click.Group, kind: Kind, helps: Mapping[str, str]) -> None:
    """Give a group the commands of a kind that ``helps`` describes."""
    builders: dict[str, Callable[[Kind, str], click.Command]] = {
        "create": _create,
        "list": _list,
        "show": _show,
        "update": _update,
        "delete": _delete,
    }
    for verb in _VERBS:
        if verb in helps:
            group.add_command(builders[verb](kind, helps[verb]))


def print_thing(kind: Kind, found: JsonObject, *, as_json: bool) -> None:
    """Print one thing."""
    if as_json:
        print_json(found)
    else:
        print_facts(kind.title(found), [(name, within(found, name)) for name in kind.facts])
        tell_warnings(found)


def tell_warnings(found: JsonObject) -> None:
    """Print what the API found odd about what it was sent."""
    for warning in found.get("warnings") or ():
        where = warning.get("path") or warning.get("resource")
        click.echo(f"warning: {where}: {warning['message']}" if where else f"warning: {warning['message']}", err=True)


def _create(kind: Kind, help: str) -> click.Command:
    @connected
    def create(client: ApiClient, *, as_json: bool, body: JsonObject | None, **values: Any) -> None:
        made = client.post(kind.path, {**(body or {}), **_fields(kind, values)})
        print_thing(kind, made, as_json=as_json)
        if kind.after_create is not None and not as_json:
            tell_next(*kind.after_create(made))

    for field in reversed([field for field in kind.fields if field.is_creatable]):
        create = _option(field, is_required=field.is_required)(create)
    for name in reversed(kind.arguments):
        create = named_argument(name)(create)
    return click.command("create", help=help)(json_option(_body_option(create)))


def _list(kind: Kind, help: str) -> click.Command:
    @connected
    def list_things(client: ApiClient, *, limit: int, as_json: bool, **filters: Any) -> None:
        names = {field.parameter: field.name for field in kind.filters}
        page = client.get(kind.path, {"limit": limit, **{names[name]: value for name, value in filters.items()}})
        if as_json:
            print_json(page)
            return
        print_table(
            [kind.row(found) for found in page["result"]], kind.columns, none=f"There are no such {kind.word}s."
        )
        if page.get("next_cursor"):
            click.echo(f"There are more: --limit {min(1000, limit * 10)} shows them.", err=True)

    for field in reversed(kind.filters):
        list_things = click.option(field.option, field.parameter, type=field.kind, help=field.help)(list_things)
    return click.command("list", help=help)(limit_option(json_option(list_things)))


def _show(kind: Kind, help: str) -> click.Command:
    @named_argument("name", metavar=_metavar(kind))
    @json_option
    @connected
    def show(client: ApiClient, name: str, as_json: bool) -> None:
        print_thing(kind, client.get(kind.place(client, name)), as_json=as_json)

    return click.command("show", help=help)(show)


def _update(kind: Kind, help: str) -> click.Command:
    @connected
    def update(client: ApiClient, *, name: str, as_json: bool, body: JsonObject | None, **values: Any) -> None:
        change = {**(body or {}), **_fields(kind, values)}
        if not change:
            raise click.UsageError("nothing to change: give an option, or --body")
        changed = client.patch(kind.place(client, name), change)
        print_thing(kind, changed, as_json=as_json)
        if not as_json:
            tell_next(kind.group, "show", name)

    for field in reversed([field for field in kind.fields if field.is_changeable]):
        update = _option(field, is_required=False)(update)
    update = named_argument("name", metavar=_metavar(kind))(json_option(_body_option(update)))
    return click.command("update", help=help)(update)


def _delete(kind: Kind, help: str) -> click.Command:
    @named_argument("name", metavar=_metavar(kind))
    @json_option
    @connected
    def delete(client: ApiClient, name: str, as_json: bool) -> None:
        removed = client.delete(kind.place(client, name))
        if as_json:
            print_json(removed)
            return
        click.echo(f"removed {kind.word} {removed['id']}")
        tell_next(kind.group, "list")

    return click.command("delete", help=help)(delete)


def _option(field: Field, *, is_required: bool) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        field.option,
        field.parameter,
        type=field.kind,
        help=field.help,
        required=is_required,
        multiple=field.is_multiple,
        is_flag=field.is_flag or None,
        default=None,
    )


def _body_option(command: Callable[..., None]) -> Callable[..., None]:
    return click.option("--body", type=JsonArgument(), help="All other fields, as the API takes them: JSON, or @file.")(
        command
    )


def _fields(kind: Kind, values: Mapping[str, Any]) -> JsonObject:
    """Return the fields that options and arguments set."""
    names = {field.parameter: field.name for field in kind.fields}
    wished = {
        names.get(name, name): list(value) if isinstance(value, tuple) else value for name, value in values.items()
    }
    return given({name: value for name, value in wished.items() if value != []})


def _metavar(kind: Kind) -> str:
    return "ID" if kind.name_field is None else "ID|NAME"
