"""``ferryman connector``: ready descriptions of third-party APIs, and their installation over the HTTP API."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

import click
from rich.markup import escape

from app.cli.calling import (
    Answer,
    add_named_argument,
    json_option,
    pass_client,
    print_answer,
    print_facts,
    print_json,
    print_table,
)
from app.cli.installing import Step, install
from app.cli.next_steps import print_next_step
from app.cli.terminal import build_console
from app.client import ApiClient
from app.connectors import Connector, list_shipped, load
from app.engine.json_types import JSON, JsonObject


@click.group()
def connector() -> None:
    """List, show and install connectors to third-party APIs."""


@connector.command("list")
@print_answer
def list_connectors() -> Answer:
    """List the connectors that come with Ferryman."""
    rows = [_build_row(load(name)) for name in list_shipped()]
    return Answer(rows, lambda: print_table(rows, ("name", "label", "unified"), none="None come with it."))


@connector.command()
@add_named_argument("name_or_folder", metavar="NAME|FOLDER")
@print_answer
def show(name_or_folder: str) -> Answer:
    """Show what a connector offers and needs."""
    found = load(name_or_folder)
    facts = {**_build_row(found), "resources": _describe_resources(found), "credentials": _describe_credentials(found)}
    readme = found.folder / "README.md"
    more = {"more": str(readme)} if readme.is_file() else {}
    return Answer(facts, lambda: print_facts(f"connector {found.name}", [*list(facts.items())[1:], *more.items()]))


@connector.command("install")
@add_named_argument("name_or_folder", metavar="NAME|FOLDER")
@json_option
@pass_client
def install_connector(client: ApiClient, name_or_folder: str, as_json: bool) -> None:
    """Make a connector's integration, unified models and mappings, or bring them up to date.

    What was added to them by hand stays. A second time nothing changes.
    """
    found = load(name_or_folder)
    steps = _run_steps(install(client, found), is_silent=as_json)
    if as_json:
        print_json([asdict(step) for step in steps])
        return
    numbers = Counter(step.done for step in steps)
    summary = ", ".join(f"{numbers[done]} {done}" for done in ("created", "updated", "unchanged") if numbers[done])
    build_console().print(f"{found.name} is installed: {summary}")
    print_next_step("account", "create", found.name, "TENANT", "--context", json.dumps(_build_context(found)))


def _run_steps(steps: Iterator[Step], *, is_silent: bool) -> list[Step]:
    """Run the steps, and print each when it is done: when one fails, those before it have happened."""
    done = []
    for step in steps:
        done.append(step)
        if not is_silent and step.done != "unchanged":
            build_console().print(f"{step.done} {step.kind} {escape(step.name)}")
    return done


def _build_row(found: Connector) -> JsonObject:
    places = sorted({f"{mapping.model}/{mapping.resource}" for mapping in found.mappings})
    label = found.integration["config"].get("label", found.name)
    return {"name": found.name, "label": label, "unified": ", ".join(places)}


def _describe_resources(found: Connector) -> str:
    resources = found.integration["config"].get("resources") or {}
    return "; ".join(f"{name} ({', '.join(methods)})" for name, methods in resources.items())


def _describe_credentials(found: Connector) -> str | None:
    """Return the ways to sign in, each with the fields of an account's context that it asks for."""
    ways = found.integration["config"].get("credentials") or {}
    if "format" in ways:
        ways = {ways["format"]: ways}
    texts = []
    for way, described in ways.items():
        names = ", ".join(_list_field_names(described))
        texts.append(f"{way} ({names})" if names else way)
    return "; ".join(texts) or None


def _build_context(found: Connector) -> JsonObject:
    """Return the context of an account to be filled in, by the connector's first way to sign in."""
    ways = found.integration["config"].get("credentials") or {}
    way = ways if "format" in ways else next(iter(ways.values()), None)
    return dict.fromkeys(_list_field_names(way), "...")


def _list_field_names(way: JSON) -> list[str]:
    """List what a form would ask for; it is described freely, and nothing here depends on it."""
    match way:
        case {"config": {"fields": [*fields]}}:
            return [str(field["name"]) for field in fields if isinstance(field, dict) and "name" in field]
        case _:
            return []
