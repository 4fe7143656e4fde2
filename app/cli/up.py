"""``ferryman up``: the whole stack on this machine."""

import os
import webbrowser
from typing import Any

import click
from rich.console import Console
from rich.markup import escape

from app.cli.next_steps import print_next_step
from app.cli.options import WholeRange, concurrency_option, data_dir_option, group_option
from app.cli.signals import raise_interrupt_on_signals
from app.client import ApiClient
from app.stack import extras
from app.stack.given_broker import hide_login
from app.stack.postgres import build_psql_line
from app.stack.stack import Stack, StackOptions

_PORT = WholeRange(0, 65535)


@click.command(short_help="Run everything on this machine until Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address that the API listens on.")
@click.option("--port", default=8000, show_default=True, type=_PORT, help="Port of the API; 0 takes a free one.")
@data_dir_option
@group_option
@click.option("--daemons", default=2, show_default=True, type=WholeRange(0, 64), help="How many daemons to run.")
@concurrency_option
@click.option(
    "--flower/--no-flower", default=None, help="Serve Flower, Celery's dashboard.  [default: if it is installed]"
)
@click.option("--open", "opens", is_flag=True, help="Open the dashboard in a browser, signed in.")
@click.option("--flower-port", default=5555, show_default=True, type=_PORT, help="Port of Flower.")
def up(flower: bool | None, opens: bool, **given: Any) -> None:
    """Run everything on this machine: Postgres, the broker, the API, daemons and Flower.

    Needs no Docker and no system service. Data lives in the data directory and survives a restart; Ctrl-C ends
    every process that was started.

    The broker is that of BROKER_URL; else a redis-server or valkey-server on PATH; else the Valkey that comes with
    ferryman[embedded].
    """
    options = StackOptions(
        **given,
        broker_url=os.environ.get("BROKER_URL", ""),
        flower=extras.has_flower() if flower is None else flower,
    )
    raise_interrupt_on_signals()
    console = Console(highlight=False, soft_wrap=True)
    stack = Stack(options, report=lambda line: console.print(f"[yellow]![/] {escape(line)}"))
    try:
        console.print(f"Starting Ferryman on {escape(str(stack.data.root))} …")
        with stack:
            dashboard = ApiClient(stack.api_url, stack.token).make_sign_in_link()
            _print_addresses(console, stack, dashboard)
            if opens:
                webbrowser.open(dashboard)
            print_next_step("connector", "list", why="in another terminal")
            stack.wait()
    except KeyboardInterrupt:
        console.print("Stopped; the data is kept.")


def _print_addresses(console: Console, stack: Stack, dashboard: str) -> None:
    rows = {
        "API": stack.api_url,
        "Dashboard": f"{dashboard} (signs in once)",
        "Docs": f"{stack.api_url}/docs",
        "Flower": _flower_text(stack),
        "Broker": f"{hide_login(stack.broker_url)} (BROKER_URL)" if stack.options.broker_url else None,
        "Token": str(stack.data.token_file),
        "Database": stack.database_url,
        "SQL": build_psql_line(stack.database_url),
        "Logs": str(stack.data.logs),
    }
    console.print("[bold green]Ferryman is up.[/] Ctrl-C stops it.")
    for name, value in rows.items():
        if value is not None:
            console.print(f"  [bold]{name:<10}[/]{escape(value)}")


def _flower_text(stack: Stack) -> str | None:
    if stack.flower_url:
        return f"{stack.flower_url} (user ferryman, password = the API token)"
    return None if extras.has_flower() else "not installed: pip install 'ferryman[flower]'"
