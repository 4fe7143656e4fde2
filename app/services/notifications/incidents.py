"""Incidents as their readers see them."""

from collections.abc import Callable

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters, Page
from app.engine.objects.notifications import Incident
from app.services.crud import Reader, require


class IncidentService:
    """What is wrong, and what was."""

    def __init__(
        self, *, incidents: Reader[Incident], list_incidents: Callable[[EnvironmentId, ListFilters], Page[Incident]]
    ) -> None:
        self._incidents = incidents
        self.list = list_incidents

    def get(self, environment_id: EnvironmentId, id: str) -> Incident:
        """Return an incident; raise NotFoundError."""
        return require(self._incidents.get(environment_id, id), "incident", id)
