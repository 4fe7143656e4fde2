"""Write the command that runs the same again."""

import json
import shlex

from app.engine.objects.runs import SyncJobRun
from app.engine.status import ErrorHandling


def write_replay(run: SyncJobRun) -> str:
    """Return the command line that creates a run with the same job, account and args.

    The job is the one that is kept now: of a run with resources of its own, or of a job that was changed since, it may
    do something else.
    """
    words = ["ferryman", "run", "create", run.sync_job_id, run.integrated_account_id]
    if run.args:
        words += ["--args", json.dumps(run.args, ensure_ascii=False)]
    if run.webhook_id is not None:
        words += ["--webhook", run.webhook_id]
    elif run.daemon_group_key is not None:
        words += ["--group", run.daemon_group_key]
    if run.error_handling is not ErrorHandling.IGNORE:
        words += ["--error-handling", run.error_handling.value]
    if run.ignore_previous_run:
        words.append("--ignore-previous-run")
    return shlex.join([*words, "--follow"])
