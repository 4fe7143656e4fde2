"""The ``ferryman`` command."""

from typing import Final

import click

from app.cli.group import HIDDEN, LazyGroup

COMMANDS: Final = {
    "demo": ("app.cli.demo:demo", "See it work, from nothing, in under a minute."),
    "up": ("app.cli.up:up", "Run everything on this machine until Ctrl-C."),
    "connector": ("app.cli.connectors:connector", "List, show and install connectors to third-party APIs."),
    "integration": ("app.cli.objects.integrations:integration", "Describe third-party APIs."),
    "account": ("app.cli.objects.accounts:account", "Customers' accounts at third parties."),
    "job": ("app.cli.objects.jobs:job", "What to pull from an API."),
    "run": ("app.cli.running.runs:run", "Run sync jobs, and see what became of it."),
    "record": ("app.cli.objects.records:record", "Records that runs have brought."),
    "export": ("app.cli.export:export", "Write records to a Parquet, CSV or JSON lines file."),
    "schema": ("app.cli.objects.schemas:schema", "The typed columns of records."),
    "sql": ("app.cli.operating.sql:sql", "Ask for records by SQL, read-only."),
    "trigger": ("app.cli.objects.triggers:trigger", "Run sync jobs by the clock."),
    "webhook": ("app.cli.objects.webhooks:webhook", "Where records and events are sent."),
    "datastore": ("app.cli.objects.datastores:datastore", "Databases, buckets and folders where records land."),
    "destination": ("app.cli.objects.destinations:destination", "Which records land there, and how far."),
    "notification": ("app.cli.objects.notifications:notification", "Where people are notified of what is wrong."),
    "notification-rule": ("app.cli.objects.notifications:notification_rule", "What they are notified of."),
    "incident": ("app.cli.objects.notifications:incident", "What is wrong, and what was, as they are notified of it."),
    "template": ("app.cli.objects.templates:template", "What sync jobs begin with."),
    "state": ("app.cli.states:state", "What is kept from one run to the next."),
    "log": ("app.cli.log:log", "Show what happened."),
    "ps": ("app.cli.watching.ps:ps", "Watch the runs under way and the daemons."),
    "logs": ("app.cli.watching.logs:logs", "Show what was logged of a run, or by a process."),
    "open": ("app.cli.watching.opening:open_page", "Open something's page in the browser."),
    "audit": ("app.cli.audit:audit", "Who changed what, and when."),
    "token": ("app.cli.operating.tokens:token", "Create, list and revoke tokens of the API."),
    "session": ("app.cli.operating.sessions:session", "List who is signed in to the dashboard, and sign them out."),
    "environment": (
        "app.cli.operating.environments:environment",
        "Create and list environments, which see nothing of each other.",
    ),
    "keys": ("app.cli.operating.keys:keys", "List and rotate the keys that encrypt credentials and secrets."),
    "api": ("app.cli.processes:api", "Serve the HTTP API."),
    "flower": ("app.cli.processes:flower", "Serve Flower, Celery's dashboard."),
    "daemon": ("app.cli.daemons:daemon", "Run a daemon of one group; list and show all."),
    "migrate": ("app.cli.operating.migrate:migrate", "Bring the database's tables up to date."),
    "health": ("app.cli.operating.health:health", "Check that a daemon on this machine is alive."),
    "doctor": ("app.cli.operating.doctor:doctor", "Find what is wrong with this installation."),
    "completion": ("app.cli.completion:completion", "Print what makes a shell complete these commands."),
    "prepare": ("app.cli.operating.prepare:prepare", HIDDEN),
}
_EPILOG = "Begin with 'ferryman demo' to see it work, or 'ferryman up' to have it."


@click.group(
    cls=LazyGroup,
    commands_at=COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ferryman", prog_name="ferryman", message="%(prog)s %(version)s")
def main() -> None:
    """Ferryman: describe what to pull from an API once, and run it safely for every customer."""
