"""``ferryman run``: create, show, list, stop and follow sync job runs over the HTTP API."""

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final
from urllib.parse import quote

import click

from app.cli.calling import (
    Answer,
    JsonArgument,
    add_named_argument,
    call_api,
    connection_options,
    drop_none,
    json_option,
    limit_option,
    pass_client,
    print_more,
    print_page,
)
from app.cli.next_steps import list_connection_words
from app.cli.options import ERROR_HANDLING, RUN_STATUS
from app.cli.running import dry_runs, printing
from app.cli.running.bulk import bulk
from app.cli.running.following import follow_run
from app.cli.running.stats import count_errors
from app.cli.terminal import INTERRUPTED
from app.client import ApiClient, ApiError, open_client
from app.engine.json_types import JSON, JsonObject
from app.engine.status import RunStatus
from app.invocation import write_command

_PATH: Final = "/sync-job-run"
_CASSETTE: Final = click.Path(path_type=Path, dir_okay=False)
_ERROR_COLUMNS: Final = ("created_at", "resource", "method", "code", "message")
_MOST_ACCOUNTS: Final = 50
"""So many ids fit into the line of a request."""


@click.group()
def run() -> None:
    """Create, show, list, stop, resume, verify and follow runs of sync jobs."""


run.add_command(bulk)


@run.command()
@add_named_argument("sync_job_id")
@add_named_argument("integrated_account_id")
@click.option("--args", type=JsonArgument(), help="Arguments of the job: JSON, or @file.")
@click.option("--group", "daemon_group_key", help="Daemon group that runs it.  [default: default]")
@click.option("--webhook", "webhook_id", help="Id of a webhook that gets the records, instead of Postgres.")
@click.option("--error-handling", type=ERROR_HANDLING, help="What an error does.")
@click.option(
    "--ignore-previous-run", is_flag=True, default=None, help="Fetch everything, not only what changed since."
)
@click.option("--mutex-key", help="Never run together with another run of the job that has the same key.")
@click.option("--force", is_flag=True, default=None, help="Start at once, whatever other run holds the mutex.")
@click.option(
    "--wait-for-destinations/--no-wait-for-destinations",
    default=None,
    help="Complete once its records are at every destination.  [default: as its job]",
)
@click.option("--idempotency-key", help="Repeat the command with the same key and get the same run.")
@click.option("--follow", is_flag=True, help="Show its progress until it ends.")
@click.option("--record", type=_CASSETTE, help="Run it in this process, and keep its exchanges in a HAR file.")
@click.option("--replay", type=_CASSETTE, help="Run it in this process from such a file, without any network.")
@click.option(
    "--dry-run", is_flag=True, default=None, help="Show the plan, first requests and first pages; create nothing."
)
@json_option
@connection_options
def create(  # noqa: PLR0913  # one parameter per option that is no field of the run
    *,
    url: str | None,
    token: str | None,
    data_dir: Path,
    idempotency_key: str | None,
    follow: bool,
    record: Path | None,
    replay: Path | None,
    dry_run: bool | None,
    as_json: bool,
    **fields: JSON,
) -> None:
    """Run a sync job for an integrated account; with --follow, exit code 1 unless it completed without errors.

    With --record or --replay this command runs it by itself, without a daemon, and needs the database that DATABASE_URL
    names, or else the stack that runs on --data-dir.
    """
    body = drop_none(fields)
    if record or replay:
        others = (fields["daemon_group_key"], fields["webhook_id"], idempotency_key, dry_run)
        answer = _run_with_cassette(body, record, replay, others=others, as_json=as_json)
    else:
        client = open_client(url, token, data_dir.expanduser().resolve())
        if dry_run:
            answer = _try_run(client, body)
        else:
            headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
            made = client.call("POST", _PATH, body, headers=headers)
            answer = _follow(client, made["id"], as_json=as_json) if follow else _build_answer(client, made)
    answer.print(as_json=as_json)


@run.command()
@add_named_argument("run_id")
@call_api
def show(client: ApiClient, run_id: str) -> Answer:
    """Show a run: its status, what it waits for, and what became of each resource."""
    return _build_answer(client, client.get(_path_of(run_id)))


@run.command()
@add_named_argument("run_id")
@call_api
def why(client: ApiClient, run_id: str) -> Answer:
    """Say in one sentence what a run waits for, or what it ended by."""
    run = client.get(_path_of(run_id))
    found = client.get(f"{_path_of(run_id)}/waits")
    reason = printing.explain_run(run, found)
    return Answer({"id": run_id, "status": run["status"], "reason": reason}, reason)


@run.command()
@add_named_argument("run_id")
@limit_option
@call_api
def errors(client: ApiClient, run_id: str, limit: int) -> Answer:
    """List the errors of a run, the oldest first."""
    page = client.get(f"{_path_of(run_id)}/errors", {"limit": limit})
    rows = page["result"]
    next_step = ("run", "resume", run_id, "--errors-only", "--follow") if rows else ()
    return Answer(
        page,
        lambda: print_page(page, _ERROR_COLUMNS, limit=limit, none="The run has no errors."),
        next_step,
        why="once it has ended: asks for them again",
    )


@run.command("list")
@click.option("--status", type=RUN_STATUS, help="Only runs in this status.")
@click.option("--job", "sync_job_id", help="Only runs of this sync job.")
@click.option("--account", "integrated_account_id", help="Only runs for this integrated account.")
@click.option(
    "--with-errors/--without-errors",
    "has_errors",
    default=None,
    help="Only runs that ended with errors which no resume has mended, or only all others.",
)
@limit_option
@call_api
def list_runs(client: ApiClient, limit: int, **filters: str | bool | None) -> Answer:
    """List runs, the newest first."""
    page = client.get(_PATH, {"limit": limit, **filters})

    def show() -> None:
        printing.print_runs(page["result"], _tenants_of(client, page["result"]))
        print_more(page, limit=limit)

    return Answer(page, show)


@run.command()
@add_named_argument("run_id")
@call_api
def stop(client: ApiClient, run_id: str) -> Answer:
    """Stop a run; what it has fetched is kept."""
    return _build_answer(client, client.patch(_path_of(run_id), {"status": "stopped"}))


@run.command()
@add_named_argument("run_id")
@click.option("--errors-only", is_flag=True, help="Ask again for what failed, and for nothing else.")
@click.option("--follow", is_flag=True, help="Show its progress until it ends.")
@json_option
@pass_client
def resume(client: ApiClient, run_id: str, errors_only: bool, follow: bool, as_json: bool) -> None:
    """Resume a run that failed or was stopped, or make one that waits for its upstream try again now."""
    resumed = client.call("POST", f"{_path_of(run_id)}/resume", {"errors_only": True} if errors_only else {})
    answer = _follow(client, run_id, as_json=as_json) if follow else _build_answer(client, resumed)
    answer.print(as_json=as_json)


@run.command()
@add_named_argument("run_id")
@call_api
def verify(client: ApiClient, run_id: str) -> Answer:
    """Count a run's books anew; exit code 1 unless they balance."""
    found = client.get(f"{_path_of(run_id)}/verify")
    return Answer(found, lambda: printing.print_verification(found), exit_code=0 if found["balanced"] else 1)


@run.command()
@add_named_argument("run_id")
@json_option
@pass_client
def follow(client: ApiClient, run_id: str, as_json: bool) -> None:
    """Show a run's progress until it ends; exit code 1 unless it completed without errors."""
    _follow(client, run_id, as_json=as_json).print(as_json=as_json)


def _path_of(run_id: str) -> str:
    return f"{_PATH}/{quote(run_id, safe='')}"


def _build_answer(client: ApiClient, run: JsonObject, *, exit_code: int = 0) -> Answer:
    """Return the answer that shows a run, what it waits for, and what mostly comes next."""
    return Answer(
        run,
        lambda: printing.print_run(run, waits=_find_waits(client, run)),
        printing.choose_next_step(run),
        exit_code=exit_code,
    )


def _find_waits(client: ApiClient, run: JsonObject) -> JsonObject | None:
    """Ask what a run waits for; the run is shown without it where the API does not answer that."""
    try:
        found: JsonObject = client.get(f"{_path_of(run['id'])}/waits")
    except ApiError:
        return None
    return found


def _tenants_of(client: ApiClient, runs: Sequence[JsonObject]) -> dict[str, str]:
    """Return the tenants of runs' accounts; accounts that were removed are left out."""
    ids = sorted({run["integrated_account_id"] for run in runs})
    found: dict[str, str] = {}
    for start in range(0, len(ids), _MOST_ACCOUNTS):
        query = {"id[in]": ",".join(ids[start : start + _MOST_ACCOUNTS]), "limit": _MOST_ACCOUNTS}
        try:
            page = client.get("/integrated-account", query)
        except ApiError:
            return found
        found |= {account["id"]: account["tenant_id"] for account in page["result"]}
    return found


def _follow(client: ApiClient, run_id: str, *, as_json: bool) -> Answer:
    try:
        ended = follow_run(lambda: client.get(_path_of(run_id)), quiet=as_json)
    except KeyboardInterrupt:
        again = write_command(["run", "follow", run_id, *list_connection_words()])
        click.echo(f"The run goes on: '{again}' shows it again, 'stop' ends it.", err=True)
        sys.exit(INTERRUPTED)
    return _build_answer(client, ended, exit_code=0 if _is_clean(ended) else 1)


def _is_clean(run: JsonObject) -> bool:
    """Whether a run completed without errors."""
    return run["status"] == RunStatus.COMPLETED and not count_errors(run)


def _try_run(client: ApiClient, body: JsonObject) -> Answer:
    """Plan a run and send its first requests; exit code 1 where one of them fails."""
    found = client.post(f"{_PATH}?dry_run=true", body)
    if dry_runs.has_errors(found):
        return Answer(found, lambda: dry_runs.print_dry_run(found), exit_code=1)
    next_step = ("run", "create", body["sync_job_id"], body["integrated_account_id"], "--follow")
    return Answer(found, lambda: dry_runs.print_dry_run(found), next_step, why="with the same options")


def _run_with_cassette(
    body: JsonObject, record: Path | None, replay: Path | None, *, others: Sequence[object], as_json: bool
) -> Answer:
    """Run in this process; exit code 1 unless the run completed without errors, with an answer to every request."""
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
    return Answer(ended, lambda: printing.print_run(ended), exit_code=0 if _is_clean(ended) and has_all else 1)
