"""Compare the records that arrived with those of the upstream, and print the result."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from app.demo.watching import find_list_stats
from app.engine.json_types import JsonObject
from app.engine.status import RunStatus
from app.engine.webhooks import events

_CLOCK_SECONDS = 0.001  # the API's times are in milliseconds


@dataclass(frozen=True, slots=True, kw_only=True)
class RunReport:
    """A run, the upstream's counts, and the counts at the destination."""

    title: str
    place: str
    """The heading of the destination's counts: ``in Postgres`` or ``verified``."""
    run: JsonObject
    holds: Mapping[str, int]
    found: Mapping[str, int]

    def differences(self) -> list[str]:
        """Return each difference from the expected result."""
        return [f"{self.title}: {fault}" for fault in (*self._status_fault(), *self._count_faults())]

    def table(self) -> Table:
        """Return a table with a row per resource."""
        table = _build_table("resource")
        for heading in ("fetched", "persisted", "errors", "records/s", self.place, "upstream"):
            table.add_column(heading, justify="right")
        table.add_column()
        for resource, held in self.holds.items():
            fetched, persisted, found = (f"{count:,}" for count in self._counts(resource).values())
            errors, speed = f"{self._count(resource, 'errors'):,}", _format_speed(find_list_stats(self.run, resource))
            mark = "[red]✗[/]" if self._resource_faults(resource) else "[green]✓[/]"
            table.add_row(resource, fetched, persisted, errors, speed, found, f"{held:,}", mark)
        return table

    def _count(self, resource: str, counter: str) -> int:
        return int(find_list_stats(self.run, resource).get(counter, 0))

    def _counts(self, resource: str) -> dict[str, int]:
        counters = {name: self._count(resource, name) for name in ("fetched", "persisted")}
        return {**counters, self.place: self.found.get(resource, 0)}

    def _status_fault(self) -> Iterator[str]:
        if self.run["status"] != RunStatus.COMPLETED:
            reason = (self.run.get("error") or {}).get("message", "no reason was given")
            yield f"it is {self.run['status']}: {reason}"

    def _count_faults(self) -> list[str]:
        return [fault for resource in self.holds for fault in self._resource_faults(resource)]

    def _resource_faults(self, resource: str) -> list[str]:
        held, errors = self.holds[resource], self._count(resource, "errors")
        wrong = [f"{count:,} {what}" for what, count in self._counts(resource).items() if count != held]
        faults = [f"{resource}: {', '.join(wrong)}; the upstream holds {held:,}"] if wrong else []
        return [*faults, *([f"{resource}: {errors:,} errors"] if errors else [])]


def find_delivery_faults(receiver: JsonObject, run_id: str) -> list[str]:
    """Return the receiver's findings: unverified deliveries, duplicates, or events out of order."""
    log = receiver["runs"].get(run_id, {"events": [], "duplicates": 0})
    faults = []
    if receiver["unverified"]:
        faults.append(f"receiver: {receiver['unverified']:,} deliveries did not verify")
    if log["duplicates"]:
        faults.append(f"receiver: {log['duplicates']:,} records came twice")
    if [*log["events"][:2], *log["events"][-1:]] != [events.CREATED, events.STARTED, events.COMPLETED]:
        faults.append(
            f"receiver: expected created and started first, completed last; got {', '.join(log['events']) or 'nothing'}"
        )
    return faults


def build_sample_table(rows: Sequence[tuple[str, str, JsonObject]]) -> Table:
    """Return a table of a few records, each cut to one line."""
    table = _build_table("resource", "remote_id")
    table.expand = True  # so that only the data is cut
    table.add_column("data", no_wrap=True, overflow="ellipsis", ratio=1)
    for resource, remote_id, data in rows:
        table.add_row(resource, escape(remote_id), escape(json.dumps(data, ensure_ascii=False)))
    return table


def describe_upstream(requests: Mapping[str, int]) -> str:
    """Return a line about the upstream's answers."""
    failed = requests.get("500", 0) + requests.get("503", 0)
    limited = requests.get("429", 0)
    return f"Upstream: {sum(requests.values()):,} requests; {failed:,} answered by 500 or 503, {limited:,} by 429"


def describe_receiver(receiver: JsonObject) -> str:
    """Return a line about the deliveries that the receiver verified."""
    verified, unverified, repeats = (receiver[name] for name in ("verified", "unverified", "repeats"))
    return f"Receiver: {verified:,} deliveries, both signatures verified; {unverified:,} refused, {repeats:,} repeated"


def print_verdict(console: Console, faults: Sequence[str], seconds: float) -> None:
    """Print whether all counts are exact, or what differs."""
    if not faults:
        console.print(f"[bold green]✓ Every count is exactly what the upstream holds.[/]  [dim]{seconds:.1f} s[/]")
        return
    console.print("[bold red]✗ Not exact:[/]")
    for fault in faults:
        console.print(f"  [red]•[/] {escape(fault)}")


def _format_speed(stats: JsonObject) -> str:
    """Return the records per second, from the resource's first request to its last."""
    if not stats.get("started_at") or not stats.get("finished_at"):
        return "-"
    duration = datetime.fromisoformat(stats["finished_at"]) - datetime.fromisoformat(stats["started_at"])
    return f"{stats['fetched'] / max(duration.total_seconds(), _CLOCK_SECONDS):,.0f}"


def _build_table(*headings: str) -> Table:
    """Make a table without lines whose given columns keep their width."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in headings:
        table.add_column(heading, no_wrap=True)
    return table
