"""``python -m app.cli``, which needs no installed script."""

from app.cli.main import main

main(prog_name="ferryman")
