"""The ``ferryman`` command."""

import click

from app.cli.group import LazyGroup

_COMMANDS = {
    "demo": "app.cli.demo:demo",
    "up": "app.cli.up:up",
    "connector": "app.cli.connectors:connector",
    "run": "app.cli.runs:run",
    "trigger": "app.cli.triggers:trigger",
    "webhook": "app.cli.webhooks:webhook",
    "template": "app.cli.templates:template",
    "state": "app.cli.states:state",
    "log": "app.cli.log:log",
    "token": "app.cli.tokens:token",
    "environment": "app.cli.environments:environment",
    "account": "app.cli.origins:account",
    "integration": "app.cli.origins:integration",
    "keys": "app.cli.keys:keys",
    "api": "app.cli.processes:api",
    "daemon": "app.cli.processes:daemon",
    "flower": "app.cli.processes:flower",
    "migrate": "app.cli.migrate:migrate",
    "health": "app.cli.health:health",
    "prepare": "app.cli.prepare:prepare",
}
_EPILOG = "Begin with 'ferryman demo' to see it work, or 'ferryman up' to have it."


@click.group(
    cls=LazyGroup,
    commands_at=_COMMANDS,
    epilog=_EPILOG,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="ferryman", prog_name="ferryman", message="%(prog)s %(version)s")
def main() -> None:
    """Ferryman: describe what to pull from an API once, and run it safely for every customer."""
