"""Run a daemon: as ``celery -A APPLICATION worker`` does, without Celery's other commands and their plugins.

These take 11 MB: Flower, the shell of Celery's command line, and what both import.
"""

import sys

from celery.app.utils import find_app
from celery.bin.base import CLIContext
from celery.bin.worker import worker


def main() -> None:
    """Run the worker of ``python -m workers.daemon APPLICATION OPTION …``."""
    application, *options = sys.argv[1:]
    context = CLIContext(app=find_app(application), no_color=False, workdir=None)
    worker.main(options, prog_name="python -m workers.daemon", obj=context)


if __name__ == "__main__":
    main()
