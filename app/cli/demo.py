"""``ferryman demo``: from nothing to synced records."""

import sys
from pathlib import Path

import click

from app.cli.next_steps import print_next_step
from app.cli.options import WholeRange
from app.cli.signals import raise_interrupt_on_signals
from app.demo.program import DemoOptions, run_demo


@click.command(short_help="See it work, from nothing, in under a minute.")
@click.option(
    "--data-dir",
    type=click.Path(path_type=Path, file_okay=False),
    help="Where to keep the data; must be new or empty.  [default: a temporary directory, removed afterwards]",
)
@click.option("--port", type=WholeRange(1, 65535), help="Port of the API.  [default: a free one]")
@click.option("--daemons", default=2, show_default=True, type=WholeRange(1, 64), help="How many daemons to run.")
@click.option("--keep", is_flag=True, help="Stay up afterwards, with Flower, until Ctrl-C.")
def demo(data_dir: Path | None, port: int | None, daemons: int, keep: bool) -> None:
    """Show a daemon run and a webhook run against a sample API; end and remove all that was started.

    The exit code is 0 only if every count is exactly what the sample API holds.
    """
    raise_interrupt_on_signals()
    code = run_demo(DemoOptions(data_dir=data_dir, port=port, daemons=daemons, keep=keep))
    if code == 0:
        print_next_step("up", why="has it for good, on this machine")
    sys.exit(code)
