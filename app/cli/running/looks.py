"""Look at runs over the HTTP API: what they wait for, and whose they are."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from app.cli.calling import print_json
from app.cli.next_steps import tell_next
from app.cli.running import shown
from app.cli.running.stats import errors_of, is_final
from app.client import ApiClient, ApiError
from app.engine.json_types import JsonObject
from app.engine.status import RunStatus

PATH: Final = "/sync-job-run"
_MOST_ACCOUNTS: Final = 50
"""So many ids fit into the line of a request."""


def run_path(run_id: str) -> str:
    """Return where a run is."""
    return f"{PATH}/{quote(run_id, safe='')}"


def print_looked(client: ApiClient, run: JsonObject, *, as_json: bool) -> None:
    """Print a run with what it waits for, and what mostly comes next."""
    if as_json:
        print_json(run)
        return
    shown.print_run(run, waits=_waits(client, run))
    tell_next(*_next_of(run))


def _next_of(run: JsonObject) -> Sequence[str]:
    """Return the words of the command that mostly comes after a look at a run."""
    if not is_final(run):
        return "run", "follow", run["id"]
    if run["status"] != RunStatus.COMPLETED:
        return "run", "resume", run["id"], "--follow"
    if errors_of(run):
        return "run", "resume", run["id"], "--errors-only", "--follow"
    if run.get("webhook_id"):
        return "webhook", "deliveries", run["webhook_id"], "--run", run["id"]
    return "record", "list", run["integrated_account_id"]


def _waits(client: ApiClient, run: JsonObject) -> JsonObject | None:
    """Ask what a run waits for; what is known of the run is worth more than what is not known of that."""
    try:
        found: JsonObject = client.get(f"{run_path(run['id'])}/waits")
    except ApiError:
        return None
    return found


def tenants_of(client: ApiClient, runs: Sequence[JsonObject]) -> dict[str, str]:
    """Return the tenants of runs' accounts; those of accounts that are gone are not known."""
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
