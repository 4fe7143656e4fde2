"""Who is let through to a broker that may be away."""

from app.net.circuit import Circuit


def circuit(now: list[float]) -> Circuit:
    return Circuit(lambda: now[0])


def can_call(tested: Circuit) -> bool:
    return tested.can_call(probe_seconds=5)


def test_everybody_is_let_through_while_all_is_well() -> None:
    tested = circuit([0.0])
    tested.note(was_taken=True)

    assert [can_call(tested) for _ in range(3)] == [True] * 3


def test_one_caller_probes_after_each_pause_and_pauses_grow_to_five_seconds() -> None:
    now = [0.0]
    tested = circuit(now)
    tested.note(was_taken=False)

    probes = []
    while now[0] < 20:
        if can_call(tested):
            probes.append(now[0])
            tested.note(was_taken=False)
        now[0] += 0.5

    assert probes == [1.0, 3.0, 7.0, 12.0, 17.0]


def test_nobody_else_waits_while_one_probes_but_a_lost_probe_is_followed_by_another() -> None:
    now = [0.0]
    tested = circuit(now)
    tested.note(was_taken=False)

    now[0] = 1.0
    assert [can_call(tested) for _ in range(3)] == [True, False, False]
    now[0] = 6.0

    assert can_call(tested)


def test_success_opens_it_at_once() -> None:
    now = [0.0]
    tested = circuit(now)
    tested.note(was_taken=False)

    now[0] = 1.0
    assert can_call(tested)
    tested.note(was_taken=True)

    assert can_call(tested)
