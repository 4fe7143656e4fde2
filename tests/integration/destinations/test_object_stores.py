"""Object stores against servers: moto enforces conditions, rclone checks signatures, fake-gcs-server is Google's."""

import resource
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.destinations.files.google_objects import open_google
from app.destinations.files.local_objects import LocalObjects
from app.destinations.files.obstore_objects import open_s3
from app.destinations.files.ports import ObjectStore
from app.destinations.files.prefixed_objects import PrefixedObjects
from app.engine.errors import DestinationError
from app.net.addresses import AllowedNetworks
from tests.support.object_servers import running_fake_google, running_moto, running_rclone
from tests.support.object_stores import ObjectStoreContract

LOCAL = AllowedNetworks.parse("127.0.0.0/8")


@pytest.fixture(scope="module")
def moto() -> Iterator[dict[str, Any]]:
    with running_moto() as config:
        yield config


@pytest.fixture(scope="module")
def rclone() -> Iterator[dict[str, Any]]:
    with running_rclone() as config:
        yield config


@pytest.fixture(scope="module")
def google() -> Iterator[dict[str, Any]]:
    with running_fake_google() as config:
        yield config


class TestFolder(ObjectStoreContract):
    enforces = True

    @pytest.fixture
    def store(self, tmp_path: Path) -> ObjectStore:
        return LocalObjects(tmp_path / "folder")

    @pytest.fixture
    def enforces_conditions(self) -> bool:
        return True

    def test_nothing_but_what_was_put_stays(self, store: ObjectStore, tmp_path: Path) -> None:
        store.put("a/b/c", b"x")
        store.delete(["a/b/c"])

        assert [*(tmp_path / "folder").iterdir()] == []


class TestMoto(ObjectStoreContract):
    @pytest.fixture
    def store(self, moto: dict[str, Any], request: pytest.FixtureRequest) -> ObjectStore:
        return PrefixedObjects(open_s3(moto, LOCAL), f"tests/{abs(hash(request.node.name))}")

    @pytest.fixture
    def enforces_conditions(self) -> bool:
        return True


class TestRclone(ObjectStoreContract):
    @pytest.fixture
    def store(self, rclone: dict[str, Any], request: pytest.FixtureRequest) -> ObjectStore:
        return PrefixedObjects(open_s3(rclone, LOCAL), f"tests/{abs(hash(request.node.name))}")

    @pytest.fixture
    def enforces_conditions(self) -> bool:
        return False


class TestFakeGoogle(ObjectStoreContract):
    @pytest.fixture
    def store(self, google: dict[str, Any], request: pytest.FixtureRequest) -> ObjectStore:
        return PrefixedObjects(open_google(google, LOCAL), f"tests/{abs(hash(request.node.name))}")

    @pytest.fixture
    def enforces_conditions(self) -> bool:
        return True


def refusal(store: ObjectStore) -> DestinationError:
    with pytest.raises(DestinationError) as refused:
        store.put("a", b"x")
    return refused.value


def test_a_wrong_secret_is_named_without_showing_it(rclone: dict[str, Any]) -> None:
    error = refusal(open_s3({**rclone, "secret_access_key": "open-open-open"}, LOCAL))

    assert (error.code, error.is_final) == ("wrong_credentials", True)
    assert "open-open" not in error.message


def test_a_missing_bucket_is_named(moto: dict[str, Any], rclone: dict[str, Any], google: dict[str, Any]) -> None:
    stores: list[ObjectStore] = [open_s3({**config, "bucket": "none"}, LOCAL) for config in (moto, rclone)]

    codes = [refusal(store).code for store in (*stores, open_google({**google, "bucket": "none"}, LOCAL))]
    assert codes == ["no_bucket"] * 3


def test_a_server_that_is_away_is_named(moto: dict[str, Any], google: dict[str, Any]) -> None:
    nowhere = {"base_url": "http://127.0.0.1:9"}

    codes = [
        refusal(store).code
        for store in (open_s3({**moto, **nowhere}, LOCAL), open_google({**google, **nowhere}, LOCAL))
    ]
    assert codes == ["target_away"] * 2


def test_the_environment_of_the_process_is_not_used(moto: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = {
        **{"AWS_ENDPOINT_URL": "http://127.0.0.1:9", "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9"},
        **{"AWS_ACCESS_KEY_ID": "foreign", "AWS_SECRET_ACCESS_KEY": "foreign", "AWS_SESSION_TOKEN": "foreign"},
        **{"AWS_SKIP_SIGNATURE": "true", "AWS_BUCKET": "foreign", "AWS_ALLOW_HTTP": "true"},
    }
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)

    store = open_s3(moto, LOCAL)
    store.put("own", b"x")

    assert store.get("own") == b"x"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("http://127.0.0.1:1", "blocked_address"),
        ("https://169.254.169.254", "blocked_address"),
        ("http://1.1.1.1", "no_tls"),
        ("https://nowhere.invalid", "target_away"),
    ],
)
def test_connects_only_where_that_is_allowed(moto: dict[str, Any], url: str, code: str) -> None:
    with pytest.raises(DestinationError) as refused:
        open_s3({**moto, "base_url": url}, AllowedNetworks())

    assert refused.value.code == code


def test_a_google_key_may_not_ask_for_its_token_elsewhere(google: dict[str, Any]) -> None:
    key = {"type": "service_account", "token_uri": "http://169.254.169.254/token", "client_email": "a@b"}

    with pytest.raises(DestinationError) as refused:
        open_google({"bucket": "records", "credentials": key}, AllowedNetworks.parse("0.0.0.0/0,::/0"))

    assert refused.value.code in ("wrong_credentials", "target_away")


def test_a_folder_that_may_not_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    error = refusal(LocalObjects(tmp_path / "file"))
    assert error.code == "no_folder"


def test_a_full_disk_is_named(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(DestinationError) as refused:
            LocalObjects(tmp_path).put("a", b"x" * 100_000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    assert refused.value.code == "disk_full"
    assert [*tmp_path.iterdir()] == []
