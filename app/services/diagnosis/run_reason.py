"""Say in one sentence how a run is: what it waits for, or what it ended by."""

from collections.abc import Sequence

from app.engine.objects.runs import RunError, SyncJobRun
from app.engine.runs.books import describe_failed
from app.services.diagnosis.waits import Wait


def write_reason(
    run: SyncJobRun, waits: Sequence[Wait], *, slower_than: float | None, first_error: RunError | None
) -> str:
    """Return the sentence, as the dashboard and ``ferryman run why`` show it.

    ``slower_than`` are the seconds that its last runs took, where it takes far longer.
    """
    if run.error:
        return f"It {run.status} with {run.error['code']}: {_tell(run.error.get('resource'), run.error['message'])}"
    if waits:
        return f"It waits for {waits[0].message}"
    if run.status.is_final:
        return f"It {run.status}{_describe_errors(count_errors(run), first_error)}"
    if slower_than is not None:
        return f"It works, slower than usual: its last runs took {slower_than:,.1f} s"
    return "It works, and waits for nothing"


def count_errors(run: SyncJobRun) -> int:
    """Count the errors of a run that were not mended by a resume."""
    stats = [stats for methods in run.resource_stats.values() for stats in methods.values()]
    return sum(one["errors"] - one["retried"] for one in stats)


def _describe_errors(count: int, first: RunError | None) -> str:
    if not count:
        return " without an error"
    told = f"; the first with {first.code}: {_tell(first.resource, first.message)}" if first else ""
    return f", and {describe_failed(count)}{told}"


def _tell(resource: str | None, message: str) -> str:
    return f"{resource}: {message}" if resource else message
