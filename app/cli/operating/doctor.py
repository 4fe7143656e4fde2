"""``ferryman doctor``: what is wrong with an installation, why it matters, and what to do."""

from dataclasses import asdict
from pathlib import Path
from typing import Final

import click

from app.bootstrap.doctor import read_installation
from app.cli.calling import Answer, print_answer
from app.cli.operating.operators import read_operator_settings
from app.cli.options import stack_option
from app.engine.errors import StoreFullError, StoreUnavailableError
from app.invocation import show_plain
from app.services.diagnosis.doctor import examine
from app.services.diagnosis.findings import Finding, Severity

_COLORS: Final = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}
_UNREACHABLE: Final = Finding(
    check="database",
    severity=Severity.ERROR,
    message="Postgres can not be reached",
    why="nothing works without it; accepted runs stay as they are",
    fix="start it, or correct DATABASE_URL",
)
_FULL: Final = Finding(
    check="connections",
    severity=Severity.ERROR,
    message="Postgres has no connection left",
    why="processes that get none answer 503, and their runs wait",
    fix="raise max_connections, run fewer processes, or put a pooler between (docs/scaling.md)",
)


@click.command(short_help="Find what is wrong with this installation.")
@print_answer
@stack_option
def doctor(data_dir: Path | None) -> Answer:
    """Look at database, broker, daemons, clocks, keys and webhooks, over all environments.

    Reads DATABASE_URL, BROKER_URL and FERRYMAN_ENCRYPTION_KEY from the environment, or those of the 'ferryman up' that
    runs here. Exit code 0: all is well; 1: there are warnings; 2: something does not work.
    """
    settings = read_operator_settings(data_dir)
    try:
        findings = examine(read_installation(settings))
    except StoreFullError:
        findings = [_FULL]
    except StoreUnavailableError:
        findings = [_UNREACHABLE]
    worst = max(finding.severity for finding in findings)

    def show() -> None:
        for finding in findings:
            _print_finding(finding)

    shown = [{**asdict(finding), "severity": finding.severity.name.lower()} for finding in findings]
    return Answer({"status": worst.name.lower(), "findings": shown}, show, exit_code=int(worst))


def _print_finding(finding: Finding) -> None:
    mark = click.style(f"{finding.severity.name.lower():8}", fg=_COLORS[finding.severity])
    click.echo(f"{mark}{finding.check:13}{show_plain(finding.message)}")
    if finding.why:
        click.echo(f"{'':21}why: {show_plain(finding.why)}")
        click.echo(f"{'':21}do:  {show_plain(finding.fix)}")
