"""The state machine as data."""

from hypothesis import given
from hypothesis import strategies as st

from app.engine.status import FINAL_RUN_STATUSES, LIVE_RUN_STATUSES, RUN_MOVES, RunStatus, allowed_origins


def test_every_status_says_where_it_can_be_entered_from():
    assert set(RUN_MOVES) == set(RunStatus)


def test_no_move_leaves_a_final_status():
    assert not any(origin.is_final for origins in RUN_MOVES.values() for origin in origins)


def test_failed_and_stopped_can_be_entered_from_every_live_status():
    assert allowed_origins(RunStatus.FAILED) == allowed_origins(RunStatus.STOPPED) == LIVE_RUN_STATUSES


@given(st.lists(st.sampled_from(RunStatus), max_size=40))
def test_any_sequence_of_wishes_ends_once_and_stays_ended(wishes: list[RunStatus]):
    status = RunStatus.CREATED
    endings = 0
    for wish in wishes:
        if status in allowed_origins(wish):
            status = wish
            endings += wish in FINAL_RUN_STATUSES

    assert endings == (1 if status.is_final else 0)
