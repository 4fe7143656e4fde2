"""Deliveries under way share a process: who comes last finds a place however many receivers hang."""

from queue import Queue

import pytest

from app.engine.objects.environments import EnvironmentId
from app.engine.objects.webhooks import Webhook
from app.engine.runs.work import WakeUp
from app.services.units.delivery_pool import DeliveryPool, Place
from tests.support.patience import LONGEST_SECONDS
from tests.unit.services.service_fakes import PENDING, FakeDispatcher, FakeReceiver
from tests.unit.services.service_tables import webhook

MOST = 64


def made(*answers: int | Exception | None) -> tuple[DeliveryPool, FakeDispatcher]:
    dispatcher = FakeDispatcher()
    return DeliveryPool(FakeReceiver(*answers).submit, dispatcher, most=MOST), dispatcher


def of(environment: str, id: str) -> Webhook:
    return webhook(id=id, environment_id=EnvironmentId(environment))


def fill(pool: DeliveryPool, *webhooks: Webhook) -> dict[str, list[Place]]:
    """Take as many places as there are for each, in turn."""
    places: dict[str, list[Place]] = {webhook.id: [] for webhook in webhooks}
    while taken := [(webhook.id, place) for webhook in webhooks if (place := pool.reserve(webhook))]:
        for id, place in taken:
            places[id].append(place)
    return places


def test_webhook_takes_no_more_places_than_it_leaves_to_others_of_its_environment() -> None:
    pool, _ = made(PENDING)

    hanging = fill(pool, *(of("busy", f"hanging-{number}") for number in range(5)))

    sizes = {len(places) for places in hanging.values()}
    assert max(sizes) - min(sizes) <= 1
    assert pool.reserve(of("busy", "last")) is not None


def test_environment_takes_no_more_places_than_it_leaves_to_others() -> None:
    pool, _ = made(PENDING)

    hanging = fill(pool, *(of("busy", f"hanging-{number}") for number in range(50)))

    assert sum(map(len, hanging.values())) <= MOST / 2
    quiet = fill(pool, of("quiet", "last"))
    assert len(quiet["last"]) >= MOST / 8


def test_units_that_found_no_room_are_rung_in_turn_as_places_are_given_back() -> None:
    pool, dispatcher = made(PENDING)
    greedy, late = of("busy", "greedy"), of("busy", "late")
    places = fill(pool, greedy)["greedy"]
    for number in range(2):
        pool.wait(greedy, WakeUp(run_id="r", unit_id=f"greedy-{number}", queue="q"))
        pool.wait(late, WakeUp(run_id="r", unit_id=f"late-{number}", queue="q"))

    for place in places[:8]:
        pool.leave(place)

    assert sorted(dispatcher.unit_ids[:2]) == ["greedy-0", "late-0"] or dispatcher.unit_ids[0] == "late-0"
    assert sorted(dispatcher.unit_ids) == ["greedy-0", "greedy-1", "late-0", "late-1"]


def test_unit_that_found_no_room_is_rung_at_once_when_all_was_answered_meanwhile() -> None:
    pool, dispatcher = made(PENDING)
    greedy = of("busy", "greedy")
    places = fill(pool, greedy)["greedy"]
    assert pool.reserve(greedy) is None
    for place in places:
        pool.leave(place)

    pool.wait(greedy, WakeUp(run_id="r", unit_id="late", queue="q"))

    assert dispatcher.unit_ids == ["late"]


def test_answer_is_gone_on_with_although_who_waits_can_not_be_rung() -> None:
    """Else its unit would be kept from everybody for as long as the process lives."""
    receiver, answers = FakeReceiver(PENDING), Queue[object]()
    pool = DeliveryPool(receiver.submit, FakeDispatcher(breaks_for="broken"), most=MOST)
    greedy = of("busy", "greedy")
    place, *_ = fill(pool, greedy)["greedy"]
    pool.wait(greedy, WakeUp(run_id="broken", unit_id="waits", queue="q"))
    assert place.send("id", b"", answers.put) is None

    receiver.futures[0].set_result(200)

    assert answers.get(timeout=LONGEST_SECONDS) is receiver.futures[0]


def test_sender_that_breaks_gives_its_place_back() -> None:
    class Broken(FakeReceiver):
        def submit(self, webhook: Webhook, event_id: str, body: bytes) -> None:  # type: ignore[override]
            raise RuntimeError

    pool = DeliveryPool(Broken().submit, FakeDispatcher(), most=MOST)
    place = pool.reserve(of("e", "w"))
    assert place is not None

    with pytest.raises(RuntimeError):
        place.send("id", b"", lambda answer: None)

    assert pool.join(0)


def test_place_that_was_cancelled_before_it_is_used_waits_for_nobody() -> None:
    pool, _ = made(PENDING)
    place = pool.reserve(of("e", "w"))
    assert place is not None
    place.cancel()

    answer = place.send("id", b"", lambda answer: None)

    assert answer is not None
    assert answer.cancelled()
    assert pool.join(0)


def test_what_breaks_after_an_answer_is_logged_and_gives_its_place_back(caplog: pytest.LogCaptureFixture) -> None:
    receiver = FakeReceiver(PENDING)
    pool = DeliveryPool(receiver.submit, FakeDispatcher(), most=MOST)
    place = pool.reserve(of("e", "w"))
    assert place is not None

    def break_off(answer: object) -> None:
        raise RuntimeError

    assert place.send("id", b"", break_off) is None
    assert not pool.join(0)
    receiver.futures[0].set_result(200)

    assert pool.join(30)
    assert [record.message for record in caplog.records] == ["an answer to a delivery could not be handled"]
