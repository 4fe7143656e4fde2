"""Overview: is all well, and what needs attention."""

from dataclasses import dataclass

from app.ui.rendering import read_environment_name
from app.ui.screen import Screens

overview = Screens("overview", title="Overview", key="o")


@dataclass(frozen=True, slots=True, kw_only=True)
class OverviewPage:
    """What the overview shows."""

    environment: str


@overview.page("/", "overview/page.html")
def show() -> OverviewPage:
    """Show the environment at a glance."""
    return OverviewPage(environment=read_environment_name())
