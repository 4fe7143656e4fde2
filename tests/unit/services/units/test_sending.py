"""Deliveries under way share a process: who comes last finds a place however many receivers hang."""

from queue import Queue

import pytest

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import WakeUp
from app.services.units.sending import Place, Sending
from tests.unit.services.service_fakes import PENDING, FakeBell, FakeReceiver
from tests.unit.services.service_tables import webhook

MOST = 64


def made(*answers: int | Exception | None) -> tuple[Sending, FakeBell]:
    dispatcher = FakeBell()
    return Sending(FakeReceiver(*answers), dispatcher, most=MOST), dispatcher


def of(environment: str, id: str) -> Webhook:
    return webhook(id=id, environment_id=EnvironmentId(environment))


def fill(sending: Sending, *webhooks: Webhook) -> dict[str, list[Place]]:
    """Take as many places as there are for each, in turn."""
    places: dict[str, list[Place]] = {webhook.id: [] for webhook in webhooks}
    while taken := [(webhook.id, place) for webhook in webhooks if (place := sending.reserve(webhook))]:
        for id, place in taken:
            places[id].append(place)
    return places


def test_webhook_takes_no_more_places_than_it_leaves_to_others_of_its_environment() -> None:
    sending, _ = made(PENDING)

    hanging = fill(sending, *(of("busy", f"hanging-{number}") for number in range(5)))

    sizes = {len(places) for places in hanging.values()}
    assert max(sizes) - min(sizes) <= 1
    assert sending.reserve(of("busy", "last")) is not None


def test_environment_takes_no_more_places_than_it_leaves_to_others() -> None:
    sending, _ = made(PENDING)

    hanging = fill(sending, *(of("busy", f"hanging-{number}") for number in range(50)))

    assert sum(map(len, hanging.values())) <= MOST / 2
    quiet = fill(sending, of("quiet", "last"))
    assert len(quiet["last"]) >= MOST / 8


def test_units_that_found_no_room_are_rung_in_turn_as_places_are_given_back() -> None:
    sending, dispatcher = made(PENDING)
    greedy, late = of("busy", "greedy"), of("busy", "late")
    places = fill(sending, greedy)["greedy"]
    for number in range(2):
        sending.wait(greedy, WakeUp(run_id="r", unit_id=f"greedy-{number}", queue="q"))
        sending.wait(late, WakeUp(run_id="r", unit_id=f"late-{number}", queue="q"))

    for place in places[:8]:
        sending.leave(place)

    assert sorted(dispatcher.unit_ids[:2]) == ["greedy-0", "late-0"] or dispatcher.unit_ids[0] == "late-0"
    assert sorted(dispatcher.unit_ids) == ["greedy-0", "greedy-1", "late-0", "late-1"]


def test_unit_that_found_no_room_is_rung_at_once_when_all_was_answered_meanwhile() -> None:
    sending, dispatcher = made(PENDING)
    greedy = of("busy", "greedy")
    places = fill(sending, greedy)["greedy"]
    assert sending.reserve(greedy) is None
    for place in places:
        sending.leave(place)

    sending.wait(greedy, WakeUp(run_id="r", unit_id="late", queue="q"))

    assert dispatcher.unit_ids == ["late"]


def test_answer_is_gone_on_with_although_who_waits_can_not_be_rung() -> None:
    """Else its unit would be kept from everybody for as long as the process lives."""
    receiver, answers = FakeReceiver(PENDING), Queue[object]()
    sending = Sending(receiver, FakeBell(breaks_for="broken"), most=MOST)
    greedy = of("busy", "greedy")
    place, *_ = fill(sending, greedy)["greedy"]
    sending.wait(greedy, WakeUp(run_id="broken", unit_id="waits", queue="q"))
    assert place.send("id", b"", answers.put) is None

    receiver.futures[0].set_result(200)

    assert answers.get(timeout=30) is receiver.futures[0]


def test_sender_that_breaks_gives_its_place_back() -> None:
    class Broken(FakeReceiver):
        def submit(self, webhook: Webhook, event_id: str, body: bytes) -> None:  # type: ignore[override]
            raise RuntimeError

    sending = Sending(Broken(), FakeBell(), most=MOST)
    place = sending.reserve(of("e", "w"))
    assert place is not None

    with pytest.raises(RuntimeError):
        place.send("id", b"", lambda answer: None)

    assert sending.join(0)


def test_place_that_was_cancelled_before_it_is_used_waits_for_nobody() -> None:
    sending, _ = made(PENDING)
    place = sending.reserve(of("e", "w"))
    assert place is not None
    place.cancel()

    answer = place.send("id", b"", lambda answer: None)

    assert answer is not None
    assert answer.cancelled()
    assert sending.join(0)


def test_what_breaks_after_an_answer_is_logged_and_gives_its_place_back(caplog: pytest.LogCaptureFixture) -> None:
    receiver = FakeReceiver(PENDING)
    sending = Sending(receiver, FakeBell(), most=MOST)
    place = sending.reserve(of("e", "w"))
    assert place is not None

    def break_off(answer: object) -> None:
        raise RuntimeError

    assert place.send("id", b"", break_off) is None
    assert not sending.join(0)
    receiver.futures[0].set_result(200)

    assert sending.join(30)
    assert [record.message for record in caplog.records] == ["a delivery could not be gone on with"]
