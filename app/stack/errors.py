"""What can keep the embedded stack from running, each told in one sentence for its user."""

from app.engine.errors import FerrymanError


class StackError(FerrymanError):
    """The embedded stack can not run."""

    code = "stack"
