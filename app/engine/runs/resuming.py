"""Decide whether a run that has ended can be resumed, and say why when it can not."""

from app.engine.status import RunStatus


def objection(status: RunStatus, *, has_failed_requests: bool, errors_only: bool) -> str | None:
    """Return why a run that ended in this status can not be resumed; None when it can.

    A failed or stopped run can always be: even with every request made, its deliveries and its books are left.
    """
    if has_failed_requests:
        return None
    if status is RunStatus.COMPLETED:
        return "the run has completed, and no request of it failed: there is nothing to resume"
    if errors_only:
        return "no request of the run has failed: resume it without errors_only"
    return None
