"""Errors that end the demo early."""

from app.engine.errors import FerrymanError


class DemoError(FerrymanError):
    """The demo can not continue."""

    code = "demo"
