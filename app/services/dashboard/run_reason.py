"""Say in one sentence how a run is: what it waits for, or what it ended by."""

from app.engine.objects.runs import SyncJobRun
from app.engine.runs.books import describe_failed
from app.services.diagnosis.run_diagnosis import Diagnosis


def explain_run(run: SyncJobRun, diagnosis: Diagnosis) -> str:
    """Return the sentence, as ``ferryman run why`` prints it, without the command that helps."""
    if run.error:
        resource = run.error.get("resource")
        message = f"{resource}: {run.error['message']}" if resource else run.error["message"]
        return f"It {run.status} with {run.error['code']}: {message}"
    if diagnosis.waits:
        return f"It waits for {diagnosis.waits[0].message}"
    if run.status.is_final:
        errors = count_errors(run)
        return f"It {run.status}" + (f", and {describe_failed(errors)}" if errors else " without an error")
    if diagnosis.is_slow:
        return f"It works, slower than usual: its last runs took {diagnosis.usual_seconds:,.1f} s"
    return "It works, and waits for nothing"


def count_errors(run: SyncJobRun) -> int:
    """Count the errors of a run that were not mended by a resume."""
    stats = [stats for methods in run.resource_stats.values() for stats in methods.values()]
    return sum(one["errors"] - one["retried"] for one in stats)
