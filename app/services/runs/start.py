"""What a run begins with, once its first units are written."""

from dataclasses import dataclass

from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JsonObject
from app.engine.runs.work import WorkFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStart:
    """What a started run begins with: the plan to turn into a canvas, and where its messages go."""

    run_id: str
    queue: str
    plan: RunPlan
    resource_ids: JsonObject
    delivery_unit_id: str | None
    has_work: bool
    """There is a unit to work on; else the run may have come to its end already."""
    account_id: str = ""

    @property
    def facts(self) -> WorkFacts:
        """What beginning is about: which resources."""
        items = [f"{item.name} {item.method}" for item in self.plan.order]
        what = items[0] if len(items) == 1 else f"start of {len(items)} resources"
        return WorkFacts(run_id=self.run_id, account_id=self.account_id, what=what)
