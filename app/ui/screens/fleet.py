"""Fleet: the daemons, their groups, and what waits in front of them."""

from app.api.resources.services import services
from app.services.dashboard.fleet_board import Board
from app.ui.screen import Screens

fleet = Screens("fleet", title="Fleet", key="f")


@fleet.page("/fleet", "fleet/page.html")
def show() -> Board:
    """Show the fleet."""
    return services().dashboard.fleet.read()


@fleet.fragment("/fleet/board", "fleet/board.html")
def show_board() -> Board:
    """Show the fleet as it is now."""
    return services().dashboard.fleet.read()
