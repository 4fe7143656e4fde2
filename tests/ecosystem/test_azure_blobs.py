"""Object stores of Azure against Azurite, Microsoft's emulator."""

from collections.abc import Iterator
from typing import Any

import pytest

from app.destinations.files.obstore_objects import open_azure
from app.destinations.files.ports import ObjectStore
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.engine.errors import DestinationError
from app.net.addresses import AllowedNetworks
from tests.support.ecosystem_tools import npm_program
from tests.support.object_servers import running_azurite
from tests.support.object_stores import ObjectStoreContract

LOCAL = AllowedNetworks.parse("127.0.0.0/8")


@pytest.fixture(scope="module")
def azurite() -> Iterator[dict[str, Any]]:
    with running_azurite(npm_program("azurite-blob")) as config:
        yield config


class TestAzurite(ObjectStoreContract):
    @pytest.fixture
    def store(self, azurite: dict[str, Any], request: pytest.FixtureRequest) -> ObjectStore:
        return PrefixedObjects(open_azure(azurite, LOCAL), f"tests/{abs(hash(request.node.name))}")

    @pytest.fixture
    def enforces_conditions(self) -> bool:
        return True


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        ({"account_key": "d3JvbmcgKysrKysrKysrKysrKysrKysrKysrKysrKys="}, "wrong_credentials"),
        ({"container": "none"}, "no_bucket"),
        ({"base_url": "http://127.0.0.1:9/devstoreaccount1"}, "target_away"),
    ],
)
def test_refusals_are_named(azurite: dict[str, Any], wrong: dict[str, str], code: str) -> None:
    with pytest.raises(DestinationError) as refused:
        open_azure({**azurite, **wrong}, LOCAL).put("a", b"x")

    assert refused.value.code == code
    assert not any(value in refused.value.message for value in wrong.values())


def test_the_environment_of_the_process_is_not_used(azurite: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {
        **{"AZURE_STORAGE_ACCOUNT_NAME": "foreign", "AZURE_STORAGE_ACCOUNT_KEY": "Zm9yZWlnbg=="},
        **{"AZURE_STORAGE_SAS_KEY": "sv=1", "AZURE_STORAGE_ENDPOINT": "http://127.0.0.1:9"},
        **{"AZURE_CLIENT_ID": "foreign", "AZURE_CLIENT_SECRET": "foreign", "AZURE_TENANT_ID": "foreign"},
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)

    store = open_azure(azurite, LOCAL)
    store.put("own", b"x")

    assert store.get("own") == b"x"
