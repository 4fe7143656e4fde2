"""``ferryman connector``: ready descriptions of third-party APIs, and their installation over the HTTP API."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.markup import escape

from app.cli.calling import connected, json_option, print_facts, print_json, print_table
from app.cli.installing import Step, install
from app.cli.next_steps import tell_next
from app.cli.terminal import console
from app.client import ApiClient
from app.connectors import Connector, list_shipped, load
from app.engine.json_types import JSON, JsonObject


@click.group()
def connector() -> None:
    """List, show and install connectors to third-party APIs."""


@connector.command("list")
@json_option
def list_connectors(as_json: bool) -> None:
    """List the connectors that come with Ferryman."""
    rows = [_row(load(name)) for name in list_shipped()]
    if as_json:
        print_json(rows)
    else:
        print_table(rows, ("name", "label", "unified"), none="None come with it.")


@connector.command()
@click.argument("name_or_folder", metavar="NAME|FOLDER")
@json_option
def show(name_or_folder: str, as_json: bool) -> None:
    """Show what a connector offers and needs."""
    found = load(name_or_folder)
    facts = {**_row(found), "resources": _resources(found), "credentials": _credentials(found)}
    if as_json:
        print_json(facts)
        return
    readme = found.folder / "README.md"
    more = {"more": str(readme)} if readme.is_file() else {}
    print_facts(f"connector {found.name}", [*list(facts.items())[1:], *more.items()])


@connector.command("install")
@click.argument("name_or_folder", metavar="NAME|FOLDER")
@json_option
@connected
def install_connector(client: ApiClient, name_or_folder: str, as_json: bool) -> None:
    """Make a connector's integration, unified models and mappings, or bring them up to date.

    What was added to them by hand stays. A second time nothing changes.
    """
    found = load(name_or_folder)
    steps = _told(install(client, found), silently=as_json)
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    numbers = Counter(step.done for step in steps)
    told = ", ".join(f"{numbers[done]} {done}" for done in ("created", "updated", "unchanged") if numbers[done])
    console().print(f"{found.name} is installed: {told}")
    tell_next("account", "create", found.name, "TENANT", "--context", json.dumps(_context(found)))


def _told(steps: Iterator[Step], *, silently: bool) -> list[Step]:
    """Return of each step as it is done: when one fails, those before it have happened."""
    done = []
    for step in steps:
        done.append(step)
        if not silently and step.done != "unchanged":
            console().print(f"{step.done} {step.kind} {escape(step.name)}")
    return done


def _row(found: Connector) -> JsonObject:
    places = sorted({f"{mapping.model}/{mapping.resource}" for mapping in found.mappings})
    label = found.integration["config"].get("label", found.name)
    return {"name": found.name, "label": label, "unified": ", ".join(places)}


def _resources(found: Connector) -> str:
    resources = found.integration["config"].get("resources") or {}
    return "; ".join(f"{name} ({', '.join(methods)})" for name, methods in resources.items())


def _credentials(found: Connector) -> str | None:
    """Return the ways to sign in, each with the fields of an account's context that it asks for."""
    ways = found.integration["config"].get("credentials") or {}
    if "format" in ways:
        ways = {ways["format"]: ways}
    told = []
    for way, described in ways.items():
        names = ", ".join(_field_names(described))
        told.append(f"{way} ({names})" if names else way)
    return "; ".join(told) or None


def _context(found: Connector) -> JsonObject:
    """Return the context of an account to be filled in, by the connector's first way to sign in."""
    ways = found.integration["config"].get("credentials") or {}
    way = ways if "format" in ways else next(iter(ways.values()), None)
    return dict.fromkeys(_field_names(way), "...")


def _field_names(way: JSON) -> list[str]:
    """List what a form would ask for; it is described freely, and nothing here depends on it."""
    match way:
        case {"config": {"fields": [*fields]}}:
            return [str(field["name"]) for field in fields if isinstance(field, dict) and "name" in field]
        case _:
            return []
