"""Webhooks: each with a secret of its own, and a test event on request."""

import base64
from dataclasses import dataclass, field

import pytest

from app.engine.errors import DeliveryError, Failure, InvalidInputError, NotFoundError
from app.engine.objects.environments import EnvironmentId
from app.engine.objects.lists import ListFilters
from app.engine.objects.webhooks import Webhook
from app.services.webhooks.webhooks import WebhookService
from tests.unit.services.service_tables import ELSEWHERE, ENVIRONMENT, FakeTable, webhook

FAULT = Failure("target_url", "expected an address")


@dataclass
class FakeTester:
    """Takes test events, or refuses them."""

    refusal: DeliveryError | None = None
    tested: list[Webhook] = field(default_factory=list)

    def send_test(self, webhook: Webhook) -> None:
        if self.refusal:
            raise self.refusal
        self.tested.append(webhook)


@pytest.fixture
def tester() -> FakeTester:
    return FakeTester()


class Webhooks(FakeTable[Webhook]):
    """Webhooks whose secrets nobody replaces."""

    def replace_secret(
        self, environment_id: EnvironmentId, webhook_id: str, secret: str, *, overlap_seconds: float
    ) -> Webhook | None:
        raise AssertionError(webhook_id)


@pytest.fixture
def webhooks() -> Webhooks:
    return Webhooks(webhook, webhook())


@pytest.fixture
def woken() -> list[str]:
    """The webhooks whose deliveries were to be tried at once."""
    return []


@pytest.fixture
def service(webhooks: Webhooks, tester: FakeTester, woken: list[str]) -> WebhookService:
    return WebhookService(webhooks, tester.send_test, wake=woken.append)  # type: ignore[arg-type]  # it has what is called


def test_each_webhook_has_a_secret_of_its_own(service: WebhookService) -> None:
    first = service.create(ENVIRONMENT, {"target_url": "https://a.test"})
    second = service.create(ENVIRONMENT, {"target_url": "https://a.test"})

    assert first.secret != second.secret
    assert first.secret.startswith("whsec_")
    assert len(base64.b64decode(first.secret.removeprefix("whsec_"))) == 32


def test_faulty_webhook_is_not_made(webhooks: FakeTable[Webhook], service: WebhookService) -> None:
    with pytest.raises(InvalidInputError):
        service.create(ENVIRONMENT, {}, [FAULT])

    assert list(webhooks.rows) == ["webhook"]


def test_webhook_changes_and_keeps_its_secret(service: WebhookService) -> None:
    updated = service.update(ENVIRONMENT, "webhook", {"is_active": False})

    assert (updated.is_active, updated.secret) == (False, "whsec_x")


def test_faulty_change_changes_nothing(webhooks: FakeTable[Webhook], service: WebhookService) -> None:
    with pytest.raises(InvalidInputError):
        service.update(ENVIRONMENT, "webhook", {"is_active": False}, [FAULT])

    assert webhooks.rows["webhook"].is_active


def test_webhook_that_is_removed_during_a_change_is_not_there(
    webhooks: FakeTable[Webhook], service: WebhookService
) -> None:
    webhooks.before_update = webhooks.rows.clear

    with pytest.raises(NotFoundError):
        service.update(ENVIRONMENT, "webhook", {"is_active": False})


def test_webhook_is_removed_once(service: WebhookService) -> None:
    assert service.delete(ENVIRONMENT, "webhook") == "webhook"
    with pytest.raises(NotFoundError):
        service.delete(ENVIRONMENT, "webhook")


def test_each_environment_sees_its_own_webhooks(service: WebhookService) -> None:
    listed = service.list(ENVIRONMENT, ListFilters())

    assert [row.id for row in listed.result] == ["webhook"]
    with pytest.raises(NotFoundError):
        service.get(ELSEWHERE, "webhook")


def test_webhook_is_tested(service: WebhookService, tester: FakeTester) -> None:
    service.test(ENVIRONMENT, "webhook")

    assert [row.id for row in tester.tested] == ["webhook"]


def test_receiver_that_refuses_its_test_is_an_error(service: WebhookService, tester: FakeTester) -> None:
    tester.refusal = DeliveryError("no", status=500)

    with pytest.raises(DeliveryError):
        service.test(ENVIRONMENT, "webhook")


def test_webhook_to_test_that_is_not_there_is_a_fault_of_the_request(service: WebhookService) -> None:
    with pytest.raises(InvalidInputError) as raised:
        service.test(ELSEWHERE, "webhook")

    assert raised.value.failures[0].missing_reference


@pytest.mark.parametrize(
    ("change", "expected"),
    [({"is_active": True}, ["webhook"]), ({"target_url": "https://new.test"}, ["webhook"]), ({"is_active": False}, [])],
)
def test_what_waits_for_a_webhook_that_is_mended_is_tried_at_once(
    service: WebhookService, woken: list[str], change: dict[str, object], expected: list[str]
) -> None:
    service.update(ENVIRONMENT, "webhook", change)

    assert woken == expected
