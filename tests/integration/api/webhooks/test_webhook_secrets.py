"""A webhook's secret is replaced while both verify, and shown once."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Engine, text

from app.engine.json_types import JsonObject
from tests.integration.api.calling import Caller
from tests.support.receiver import Receiver


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def webhook(api: Caller, receiver: Receiver) -> JsonObject:
    found: JsonObject = api.post("/webhook", {"target_url": receiver.url}).body
    receiver.secret = found["secret"]
    return found


def takes(api: Caller, webhook: JsonObject, receiver: Receiver, secret: str) -> bool:
    """Whether a receiver that knows this secret alone takes what it is sent."""
    receiver.secret = secret
    return api.post("/webhook/test", {"id": webhook["id"]}).status == 200


def test_both_secrets_verify_until_the_older_one_ends(
    api: Caller, webhook: JsonObject, receiver: Receiver, engine: Engine
) -> None:
    old = webhook["secret"]

    replaced = api.post(f"/webhook/{webhook['id']}/rotate-secret", {"overlap_seconds": 3600})

    new = replaced.body["secret"]
    assert (replaced.status, new != old) == (200, True)
    assert replaced.body["previous_secret_expires_at"] is not None
    assert [takes(api, webhook, receiver, secret) for secret in (old, new)] == [True, True]
    shown = api.get(f"/webhook/{webhook['id']}").body
    assert shown["previous_secret_expires_at"] == replaced.body["previous_secret_expires_at"]
    assert not {"secret", "previous_secret"} & shown.keys()
    with engine.begin() as connection:
        connection.execute(text("update webhook set previous_secret_expires_at = now() - interval '1 second'"))
    assert [takes(api, webhook, receiver, secret) for secret in (old, new)] == [False, True]


def test_secret_that_somebody_else_knows_is_ended_at_once(api: Caller, webhook: JsonObject, receiver: Receiver) -> None:
    replaced = api.post(f"/webhook/{webhook['id']}/rotate-secret", {"overlap_seconds": 0}).body

    assert replaced["previous_secret_expires_at"] is None
    secrets = (webhook["secret"], replaced["secret"])
    assert [takes(api, webhook, receiver, secret) for secret in secrets] == [False, True]


def test_of_three_secrets_the_oldest_has_ended(api: Caller, webhook: JsonObject, receiver: Receiver) -> None:
    path = f"/webhook/{webhook['id']}/rotate-secret"
    secrets = [webhook["secret"], *(api.post(path, {}).body["secret"] for _ in range(2))]

    assert [takes(api, webhook, receiver, secret) for secret in secrets] == [False, True, True]


@pytest.mark.parametrize("wish", [-1, 2_592_001, "soon"], ids=str)
def test_overlap_is_checked(api: Caller, webhook: JsonObject, wish: object) -> None:
    answer = api.post(f"/webhook/{webhook['id']}/rotate-secret", {"overlap_seconds": wish})

    assert (answer.status, answer.paths) == (400, ["overlap_seconds"])


def test_strangers_webhook_is_not_found(stranger: Caller, webhook: JsonObject) -> None:
    assert stranger.post(f"/webhook/{webhook['id']}/rotate-secret", {}).status == 404
