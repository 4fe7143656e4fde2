"""Place the resources of a run as a graph: each below what it depends on, one layer further."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from app.engine.jobs import definition, planning
from app.engine.jobs.items import NodeKind, ResourceItem
from app.engine.jobs.planning import RunPlan
from app.engine.json_types import JSON
from app.engine.objects.runs import SyncJobRun


@dataclass(frozen=True, slots=True, kw_only=True)
class GraphNode:
    """One resource, and where it stands."""

    name: str
    kind: NodeKind
    layer: int
    """How many others it depends on."""
    row: float
    """Half ones are between two rows."""
    parent: str | None
    call: str
    """What it requests, or what it does."""
    persist: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RunGraph:
    """The resources of a run, parents before their children."""

    nodes: Sequence[GraphNode]

    @property
    def layers(self) -> int:
        """Count the layers."""
        return 1 + max((node.layer for node in self.nodes), default=0)

    @property
    def rows(self) -> int:
        """Count the rows."""
        return 1 + int(max((node.row for node in self.nodes), default=0.0))

    @property
    def edges(self) -> Sequence[tuple[GraphNode, GraphNode]]:
        """Return each parent with its child."""
        by_name = {node.name: node for node in self.nodes}
        return [(by_name[node.parent], node) for node in self.nodes if node.parent in by_name]


def draw_graph(run: SyncJobRun) -> RunGraph:
    """Place the resources of a run; one whose resources can not be read has none."""
    resources: JSON = run.resources
    items, faults = definition.parse_resources(resources)
    if faults or not items:
        return RunGraph(nodes=())
    plan = planning.plan(items)
    rows = _place_rows(plan)
    return RunGraph(nodes=[_place(item, plan, rows) for item in plan.order])


def _place_rows(plan: RunPlan) -> Mapping[str, float]:
    """Assign each leaf a row of its own, and each parent the middle of its children's."""
    rows: dict[str, float] = {}
    leaves = [item for item in plan.order if not plan.children_of(item.name)]
    rows |= {item.name: float(row) for row, item in enumerate(leaves)}
    for item in reversed(plan.order):
        if children := plan.children_of(item.name):
            rows[item.name] = (rows[children[0].name] + rows[children[-1].name]) / 2
    return rows


def _place(item: ResourceItem, plan: RunPlan, rows: Mapping[str, float]) -> GraphNode:
    return GraphNode(
        name=item.name,
        kind=item.kind,
        layer=len(plan.ancestors_of(item.name)),
        row=rows[item.name],
        parent=item.depends_on,
        call=f"{item.resource}.{item.method}" if item.is_request else item.kind.value,
        persist=item.persist,
    )
