"""``ferryman run``: create, show, list, stop and follow sync job runs over the HTTP API."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from app.cli.calling import (
    JsonArgument,
    connected,
    connection_options,
    given,
    json_option,
    limit_option,
    named_argument,
    print_json,
    print_table,
)
from app.cli.next_steps import connection_words, tell_next
from app.cli.objects.choices import ERROR_HANDLING, RUN_STATUS
from app.cli.running import dry_runs, shown
from app.cli.running.following import follow_run
from app.cli.running.looks import PATH, print_looked, run_path, tenants_of
from app.cli.running.stats import errors_of
from app.cli.terminal import INTERRUPTED
from app.client import ApiClient, open_client
from app.engine.json_types import JsonObject
from app.engine.status import RunStatus
from app.invocation import write_command

_CASSETTE: Final = click.Path(path_type=Path, dir_okay=False)


@click.group()
def run() -> None:
    """Create, show, list, stop, resume, verify and follow runs of sync jobs."""


@run.command()
@named_argument("sync_job_id")
@named_argument("integrated_account_id")
@click.option("--args", type=JsonArgument(), help="Arguments of the job: JSON, or @file.")
@click.option("--group", help="Daemon group that carries it out.  [default: default]")
@click.option("--webhook", help="Id of a webhook that gets the records, instead of Postgres.")
@click.option("--error-handling", type=ERROR_HANDLING, help="What an error does.")
@click.option("--ignore-previous-run", is_flag=True, help="Fetch everything, not only what changed since.")
@click.option("--mutex-key", help="Never run together with another run of the job that has the same key.")
@click.option("--force", is_flag=True, help="Start at once, whatever other run holds the mutex.")
@click.option("--idempotency-key", help="Repeat the command with the same key and get the same run.")
@click.option("--follow", is_flag=True, help="Show its progress until it ends.")
@click.option("--record", type=_CASSETTE, help="Carry it out here, and keep its exchanges in a HAR file.")
@click.option("--replay", type=_CASSETTE, help="Carry it out here from such a file, without any network.")
@click.option("--dry-run", is_flag=True, help="Show the plan, first requests and first pages; create nothing.")
@json_option
@connection_options
def create(  # noqa: PLR0913, PLR0917  # one parameter per option
    url: str | None,
    token: str | None,
    data_dir: Path,
    sync_job_id: str,
    integrated_account_id: str,
    args: JsonObject | None,
    group: str | None,
    webhook: str | None,
    error_handling: str | None,
    ignore_previous_run: bool,
    mutex_key: str | None,
    force: bool,
    idempotency_key: str | None,
    follow: bool,
    record: Path | None,
    replay: Path | None,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Run a sync job for an integrated account; with --follow, exit code 1 unless it completed without errors.

    With --record or --replay no daemon is asked: the run is carried out by this command, which needs the database that
    DATABASE_URL names, or else the stack that runs on --data-dir.
    """
    wishes = {
        "sync_job_id": sync_job_id,
        "integrated_account_id": integrated_account_id,
        "args": args,
        "daemon_group_key": group,
        "webhook_id": webhook,
        "error_handling": error_handling,
        "ignore_previous_run": ignore_previous_run or None,
        "mutex_key": mutex_key,
        "force": force or None,
    }
    body = given(wishes)
    if record or replay:
        _on_tape(body, record, replay, others=(group, webhook, idempotency_key, dry_run or None), as_json=as_json)
        return
    client = open_client(url, token, data_dir.expanduser().resolve())
    headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
    if dry_run:
        _try_out(client, body, as_json=as_json)
        return
    made = client.call("POST", PATH, body, headers=headers)
    if follow:
        _follow(client, made["id"], as_json=as_json)
    else:
        print_looked(client, made, as_json=as_json)


@run.command()
@named_argument("run_id")
@json_option
@connected
def show(client: ApiClient, run_id: str, as_json: bool) -> None:
    """Show a run: its status, what it waits for, and what became of each resource."""
    print_looked(client, client.get(run_path(run_id)), as_json=as_json)


@run.command()
@named_argument("run_id")
@limit_option
@json_option
@connected
def errors(client: ApiClient, run_id: str, limit: int, as_json: bool) -> None:
    """List the errors of a run, the oldest first."""
    page = client.get(f"{run_path(run_id)}/errors", {"limit": limit})
    if as_json:
        print_json(page)
    else:
        columns = ("created_at", "resource", "method", "code", "message")
        print_table(page["result"], columns, none="The run has no errors.")
        if page["result"]:
            tell_next(
                "run", "resume", run_id, "--errors-only", "--follow", why="once it has ended: asks for them again"
            )


@run.command("list")
@click.option("--status", type=RUN_STATUS, help="Only runs in this status.")
@click.option("--job", "sync_job_id", help="Only runs of this sync job.")
@click.option("--account", "integrated_account_id", help="Only runs for this integrated account.")
@limit_option
@json_option
@connected
def list_runs(
    client: ApiClient,
    status: str | None,
    sync_job_id: str | None,
    integrated_account_id: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List runs, the newest first."""
    filters = {"status": status, "sync_job_id": sync_job_id, "integrated_account_id": integrated_account_id}
    page = client.get(PATH, {"limit": limit, **filters})
    if as_json:
        print_json(page)
    else:
        shown.print_runs(page["result"], tenants_of(client, page["result"]))


@run.command()
@named_argument("run_id")
@json_option
@connected
def stop(client: ApiClient, run_id: str, as_json: bool) -> None:
    """Stop a run; what it has fetched is kept."""
    print_looked(client, client.patch(run_path(run_id), {"status": "stopped"}), as_json=as_json)


@run.command()
@named_argument("run_id")
@click.option("--errors-only", is_flag=True, help="Ask again for what failed, and for nothing else.")
@click.option("--follow", is_flag=True, help="Show its progress until it ends.")
@json_option
@connected
def resume(client: ApiClient, run_id: str, errors_only: bool, follow: bool, as_json: bool) -> None:
    """Let a run that failed or was stopped go on where it stood, or one that waits for its upstream try again now."""
    resumed = client.call("POST", f"{run_path(run_id)}/resume", {"errors_only": True} if errors_only else {})
    if follow:
        _follow(client, run_id, as_json=as_json)
    else:
        print_looked(client, resumed, as_json=as_json)


@run.command()
@named_argument("run_id")
@json_option
@connected
def verify(client: ApiClient, run_id: str, as_json: bool) -> None:
    """Count a run's books anew; exit code 1 unless they balance."""
    found = client.get(f"{run_path(run_id)}/verify")
    if as_json:
        print_json(found)
    else:
        shown.print_verification(found)
    if not found["balanced"]:
        sys.exit(1)


@run.command()
@named_argument("run_id")
@json_option
@connected
def follow(client: ApiClient, run_id: str, as_json: bool) -> None:
    """Show a run's progress until it ends; exit code 1 unless it completed without errors."""
    _follow(client, run_id, as_json=as_json)


def _follow(client: ApiClient, run_id: str, *, as_json: bool) -> None:
    try:
        ended = follow_run(lambda: client.get(run_path(run_id)), quiet=as_json)
    except KeyboardInterrupt:
        again = write_command(["run", "follow", run_id, *connection_words()])
        click.echo(f"The run goes on: '{again}' shows it again, 'stop' ends it.", err=True)
        sys.exit(INTERRUPTED)
    print_looked(client, ended, as_json=as_json)
    if ended["status"] != RunStatus.COMPLETED or errors_of(ended):
        sys.exit(1)


def _try_out(client: ApiClient, body: JsonObject, *, as_json: bool) -> None:
    """Show what a run would begin with; exit code 1 where something of it would fail."""
    found = client.post(f"{PATH}?dry_run=true", body)
    if as_json:
        print_json(found)
    else:
        dry_runs.print_dry_run(found)
    if dry_runs.has_errors(found):
        sys.exit(1)
    if not as_json:
        job_id, account_id = body["sync_job_id"], body["integrated_account_id"]
        tell_next("run", "create", job_id, account_id, "--follow", why="with the same options")


def _on_tape(
    body: JsonObject, record: Path | None, replay: Path | None, *, others: Sequence[object], as_json: bool
) -> None:
    """Carry a run out here; exit code 1 unless it completed without errors, from all that it asked for."""
    # Postgres and the sources take seconds to load, which no other command of this group needs.
    from app.cli.running import cassettes  # noqa: PLC0415

    if (record and replay) or any(other is not None for other in others):
        raise click.UsageError("--record and --replay exclude each other, --group, --webhook, --dry-run and keys")
    options = click.get_current_context().params
    data_dir = options["data_dir"].expanduser().resolve()
    place = cassettes.Place.of(data_dir, options["token"], os.environ)
    if record:
        ended, has_all = cassettes.record(place, body, record, quiet=as_json), True
    else:
        assert replay is not None
        ended, has_all = cassettes.replay(place, body, replay, quiet=as_json)
    if as_json:
        print_json(ended)
    else:
        shown.print_run(ended)
    if ended["status"] != RunStatus.COMPLETED or errors_of(ended) or not has_all:
        sys.exit(1)
