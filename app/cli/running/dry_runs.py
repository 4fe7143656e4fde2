"""Print what a dry run found."""

from rich.markup import escape
from rich.table import Table

from app.cli.terminal import build_console, print_table
from app.engine.json_types import JsonObject


def print_dry_run(found: JsonObject) -> None:
    """Print a line for each resource: its first request and its first page."""
    table = Table("resource", "after", "first request", "first page", "requests", box=None, pad_edge=False)
    for resource in found["resources"]:
        table.add_row(
            escape(f"{resource['name']} {resource['method'] or ''}".strip()),
            escape(resource["depends_on"] or "-"),
            escape(_request(resource)),
            _page(resource),
            f"{resource['requests_at_least']:,}",
        )
    print_table(table)
    build_console().print(escape(_estimate(found["estimate"])))


def has_errors(found: JsonObject) -> bool:
    """Whether something of a run would fail as it stands."""
    return any(resource["error"] for resource in found["resources"])


def _request(resource: JsonObject) -> str:
    request = resource["request"]
    if request is None:
        return "-" if resource["type"] == "request" else str(resource["type"])
    return f"{request['method']} {request['url']}"


def _page(resource: JsonObject) -> str:
    if error := resource["error"]:
        return f"[red]{escape(error['code'])}: {escape(error['message'])}[/]"
    page = resource["first_page"]
    if page is None:
        return "not sent"
    return f"{page['count']:,} records{', and more follow' if page['has_more'] else ''}"


def _estimate(estimate: JsonObject) -> str:
    least = "" if estimate["is_exact"] else "at least "
    text = f"Nothing was written. The run makes {least}{estimate['requests_at_least']:,} requests"
    seconds = estimate["seconds_at_least"]
    return text if seconds is None else f"{text}, which take {least}{seconds:,.1f} s at the integration's rate limit"
