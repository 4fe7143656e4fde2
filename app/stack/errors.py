"""Errors of the embedded stack, each one sentence for its user."""

from app.engine.errors import FerrymanError


class StackError(FerrymanError):
    """The embedded stack can not run."""

    code = "stack"
