"""Fleet: the daemons, their groups, and what waits in front of them."""

from dataclasses import dataclass

import flask

from app.api.resources.services import environment, services
from app.engine.errors import ForbiddenError
from app.engine.ids import parse_id
from app.engine.objects.environments import Role
from app.services.dashboard.fleet_board import Board
from app.ui.rendering import at
from app.ui.screen import Done, Screens

fleet = Screens("fleet", title="Fleet", key="f")


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPage:
    """What the page of the fleet shows."""

    board: Board
    kills: bool
    """Whether its daemons may be killed, to see that nothing is lost."""


@fleet.page("/fleet", "fleet/page.html")
def show() -> FleetPage:
    """Show the fleet."""
    return _read()


@fleet.fragment("/fleet/board", "fleet/board.html")
def show_board() -> FleetPage:
    """Show the fleet as it is now."""
    return _read()


@fleet.action("/fleet/<id>/kill", needs=Role.ADMIN)
def kill(id: str) -> Done:
    """Kill a daemon as a crash does; ``run`` names the run whose page the button stands on."""
    killer = services().dashboard.killer
    if killer is None:
        raise ForbiddenError("daemons are not killed here: FERRYMAN_DASHBOARD_KILLS is not set")
    daemon = killer.kill(id)
    notice = f"{daemon.label} was killed. Its work goes on elsewhere: look at the books of the runs."
    run_id = parse_id(flask.request.form.get("run", ""))
    return Done(address=at(f"/runs/{run_id}" if run_id else "/fleet"), notice=notice)


def _read() -> FleetPage:
    dashboard = services().dashboard
    return FleetPage(board=dashboard.fleet.read(environment()), kills=dashboard.killer is not None)
