"""``ferryman demo``: from nothing to proven records in Postgres and at a webhook, by the public HTTP API alone."""

import io
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from app.client import ApiClient
from app.demo import report, scenario
from app.demo.errors import DemoError
from app.demo.persisted import PersistedRecords
from app.demo.report import RunReport
from app.demo.scenario import RESOURCES, Scenario
from app.demo.servers import Servers, run_servers
from app.demo.typed import STATEMENT, TypedRecords, build_status_table, find_typed_faults
from app.demo.watching import watch_run
from app.engine.errors import FerrymanError
from app.engine.json_types import JsonObject
from app.engine.webhooks import events
from app.stack.extras import has_flower
from app.stack.postgres import build_psql_line, find_reader
from app.stack.stack import Stack, StackOptions

_COLUMNS = 80
_INTERRUPTED = 130  # what a shell reports for a program that SIGINT ended
_LAST_EVENT_SECONDS = 15.0
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """The options of the demo."""

    data_dir: Path | None = None
    """None takes a temporary directory, which is removed afterwards; any other must be new or empty."""
    port: int | None = None
    """None takes a free port."""
    daemons: int = 2
    keep: bool = False
    """Stay up afterwards, until Ctrl-C."""


def run_demo(options: DemoOptions | None = None) -> int:
    """Run the demo; return the exit code: 0 when every count is exact, 1 when not, 130 when interrupted."""
    options = options or DemoOptions()
    console = _console()
    try:
        with _directory(options.data_dir) as data_dir:
            return _Demo(options, data_dir, console).run()
    except KeyboardInterrupt:
        console.print("\nInterrupted; everything that was started is stopped.")
        return _INTERRUPTED
    except (FerrymanError, psycopg.Error) as error:
        console.print(f"[red]✗[/] {escape(str(error))}")
        return 1


class _Demo:
    """One run of the demo."""

    def __init__(self, options: DemoOptions, data_dir: Path, console: Console) -> None:
        self._options = options
        self._console = console
        self._start = time.monotonic()
        self._stack = Stack(
            StackOptions(
                data_dir=data_dir,
                port=options.port or 0,
                daemons=options.daemons,
                flower=options.keep and has_flower(),
                environment={"FERRYMAN_DASHBOARD_KILLS": "1"},
            ),
            report=self._warn,
        )

    def run(self) -> int:
        """Start everything, do both runs, and report the result."""
        self._console.print("[bold]Ferryman[/] carries records from an API to where you need them.\n")
        with self._run_stack() as stack, run_servers(stack.data, self._warn) as servers:
            client = ApiClient(stack.api_url, stack.token)
            holds = self._print_upstream(servers)
            ready = scenario.set_up(client, servers.upstream_url)
            self._print_step("POST /integration, /integrated-account, /sync-job")
            faults = [*self._daemon_run(ready, holds), *self._webhook_run(ready, servers, holds)]
            self._console.print(f"   {report.describe_upstream(servers.upstream.get('/stats')['requests'])}")
            faults += self._select(holds)
            report.print_verdict(self._console, faults, time.monotonic() - self._start)
            if self._options.keep:
                self._keep_running(servers)
            elif self._is_watched():
                self._offer_dashboard(ready)
        return 1 if faults else 0

    @contextmanager
    def _run_stack(self) -> Iterator[Stack]:
        try:
            with self._console.status("Starting Postgres, the broker, the API and the daemons …"):
                self._stack.start()
            seconds = time.monotonic() - self._start
            self._print_step(
                f"Postgres, the broker, the API and {self._options.daemons} daemons, up in {seconds:.1f} s"
            )
            yield self._stack
        finally:
            self._stack.stop()

    def _print_upstream(self, servers: Servers) -> Mapping[str, int]:
        """Print and return the upstream's counts."""
        counts: Mapping[str, int] = servers.upstream.get("/stats")["holds"]
        holds = {resource: counts[resource] for resource in RESOURCES}
        self._print_step(f"Sample upstream: {', '.join(f'{count:,} {name}' for name, count in holds.items())}")
        return holds

    def _daemon_run(self, ready: Scenario, holds: Mapping[str, int]) -> list[str]:
        """Run into Postgres; return the differences."""
        self._heading("Daemon run", "into Postgres")
        run = self._watch(ready.client, ready.run_on_daemons(), holds)
        records = PersistedRecords(self._stack.database_url, ready.account_id)
        result = RunReport(title="daemon run", place="in Postgres", run=run, holds=holds, found=records.counts())
        self._show(result.table())
        self._show(report.build_sample_table(records.sample()), heading="select resource, remote_id, data from record")
        return result.differences()

    def _webhook_run(self, ready: Scenario, servers: Servers, holds: Mapping[str, int]) -> list[str]:
        """Run to the webhook receiver; return the differences."""
        self._heading("RapidBridge run", "to a signed webhook")
        webhook = ready.client.post("/webhook", {"target_url": f"{servers.receiver_url}/"})
        servers.receiver.post("/secret", {"secret": webhook["secret"]})
        run_id = ready.run_to_webhook(webhook["id"])
        run = self._watch(ready.client, run_id, holds)
        received = _wait_for_last_event(servers.receiver, run_id)
        found = received["runs"].get(run_id, {}).get("records", {})
        result = RunReport(title="RapidBridge run", place="verified", run=run, holds=holds, found=found)
        self._show(result.table())
        self._console.print(f"   {report.describe_receiver(received)}")
        return [*result.differences(), *report.find_delivery_faults(received, run_id)]

    def _select(self, holds: Mapping[str, int]) -> list[str]:
        """Read the records as typed columns, as their reader does; return the differences."""
        self._console.print("\n[bold cyan]Typed columns[/] of what is in Postgres [dim]· ferryman sql[/]")
        records = TypedRecords(self._stack.database_url, find_reader(self._stack.database_url))
        rows = records.count_by_status(holds["tickets"])
        self._show(build_status_table(rows), heading=STATEMENT)
        return find_typed_faults(rows, holds["tickets"])

    def _is_watched(self) -> bool:
        """Whether somebody sits at a terminal, who may look around; a machine that checks is to end."""
        return self._console.is_terminal and sys.stdin.isatty() and not os.environ.get("CI")

    def _offer_dashboard(self, ready: Scenario) -> None:
        """Begin one more run, and keep everything up until Enter or Ctrl-C, with a link to that run's page."""
        link = ready.client.make_sign_in_link(f"/ui/runs/{ready.run_to_be_watched()}")
        self._console.print(
            "\nOne more run is under way, at an easy pace: watch it, and kill a daemon meanwhile by its button:"
        )
        self._console.print(f"  [bold]{escape(link)}[/]", soft_wrap=True)
        try:
            self._console.input("Enter stops and removes everything. ")
        except (KeyboardInterrupt, EOFError):
            self._console.print()

    def _watch(self, client: ApiClient, run_id: str, holds: Mapping[str, int]) -> JsonObject:
        return watch_run(lambda: client.get(f"/sync-job-run/{run_id}"), holds, self._console)

    def _keep_running(self, servers: Servers) -> None:
        """Keep everything up until Ctrl-C, which is no error here."""
        addresses = {
            "API": self._stack.api_url,
            "Dashboard": ApiClient(self._stack.api_url, self._stack.token).make_sign_in_link(),
            "Docs": f"{self._stack.api_url}/docs",
            "Flower": self._stack.flower_url,
            "Token": self._stack.data.token_file,
            "SQL": build_psql_line(self._stack.database_url),
            "Upstream": f"{servers.upstream_url}/stats",
            "Receiver": f"{servers.receiver_url}/stats",
        }
        self._console.print("\nEverything stays up; Ctrl-C stops and removes it.")
        for name, address in addresses.items():
            if address is None:
                continue
            self._console.print(f"  [bold]{name:<10}[/]{escape(str(address))}", soft_wrap=True)
        try:
            self._stack.wait()
        except KeyboardInterrupt:
            self._console.print()

    def _print_step(self, text: str) -> None:
        self._console.print(f"[green]✓[/] {escape(text)}")

    def _heading(self, title: str, destination: str) -> None:
        self._console.print(f"\n[bold cyan]{title}[/] {destination} [dim]· POST /sync-job-run[/]")

    def _show(self, table: Table, *, heading: str = "") -> None:
        if heading:
            self._console.print(f"   [dim italic]{heading}[/]")
        self._console.print(Padding(table, (0, 0, 1, 3), expand=False))

    def _warn(self, line: str) -> None:
        self._console.print(f"[yellow]![/] {escape(line)}")


def _wait_for_last_event(receiver: ApiClient, run_id: str) -> JsonObject:
    """Return the receiver's counts once it has the run's last event, which is sent after the run has ended."""
    deadline = time.monotonic() + _LAST_EVENT_SECONDS
    while True:
        received: JsonObject = receiver.get("/stats")
        names = received["runs"].get(run_id, {}).get("events", [])
        if {events.COMPLETED, events.FAILED} & set(names) or time.monotonic() > deadline:
            return received
        time.sleep(_POLL_SECONDS)


@contextmanager
def _directory(data_dir: Path | None) -> Iterator[Path]:
    """Yield the directory to work in; a temporary one is removed afterwards."""
    if data_dir is None:
        with TemporaryDirectory(prefix="ferryman-demo-") as name:
            yield Path(name)
    elif data_dir.is_dir() and any(data_dir.iterdir()):
        raise DemoError(f"{data_dir} is not empty; the demo counts from nothing, so choose a new --data-dir")
    else:
        yield data_dir


def _console() -> Console:
    """Return a console of at most 80 columns that replaces characters which a terminal can not show."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    console = Console(highlight=False)
    console.width = min(console.width, _COLUMNS)
    return console
