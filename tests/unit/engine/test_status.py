"""The state machine as data."""

from hypothesis import given
from hypothesis import strategies as st

from app.engine.status import FINAL_RUN_STATUSES, LIVE_RUN_STATUSES, MOVES, RunStatus, allowed_origins


def test_every_status_says_where_it_can_be_entered_from():
    assert set(MOVES[RunStatus]) == set(RunStatus)


def test_only_a_resume_leaves_a_final_status():
    leaving = {target for target, origins in MOVES[RunStatus].items() if origins & FINAL_RUN_STATUSES}

    assert leaving == {RunStatus.CREATED}
    assert allowed_origins(RunStatus.CREATED) == FINAL_RUN_STATUSES


def test_failed_and_stopped_can_be_entered_from_every_live_status():
    assert allowed_origins(RunStatus.FAILED) == allowed_origins(RunStatus.STOPPED) == LIVE_RUN_STATUSES


@given(st.lists(st.sampled_from(RunStatus), max_size=40))
def test_any_sequence_of_wishes_ends_once_per_resume_and_stays_ended(wishes: list[RunStatus]):
    status = RunStatus.CREATED
    endings = resumes = 0
    for wish in wishes:
        if status in allowed_origins(wish):
            status = wish
            endings += wish in FINAL_RUN_STATUSES
            resumes += wish is RunStatus.CREATED

    assert endings - resumes == (1 if status.is_final else 0)
