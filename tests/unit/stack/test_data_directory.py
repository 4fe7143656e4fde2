import base64
import os
from pathlib import Path

import pytest

from app.stack.data_directory import DataDirectory, write_private
from app.stack.errors import StackError


@pytest.fixture
def data(tmp_path: Path) -> DataDirectory:
    directory = DataDirectory(tmp_path / "data")
    directory.create()
    return directory


def test_create_raises_one_sentence_when_a_file_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("")

    with pytest.raises(StackError, match=r"^the data directory .*/data can not be written: File exists$"):
        DataDirectory(tmp_path / "data").create()


def test_create_raises_when_the_place_can_not_be_made() -> None:
    with pytest.raises(StackError, match=r"^the data directory /proc/none can not be written: "):
        DataDirectory(Path("/proc/none")).create()


def test_lock_is_refused_while_another_holds_it(data: DataDirectory) -> None:
    with data.lock():
        with pytest.raises(StackError, match=rf"a stack already runs on {data.root} \(process {os.getpid()}\)"):
            data.lock()
        assert data.is_in_use()

    assert not data.is_in_use()
    data.lock().close()


def test_directory_that_was_never_made_is_not_in_use(tmp_path: Path) -> None:
    assert not DataDirectory(tmp_path / "none").is_in_use()


def test_encryption_key_is_made_once_and_private(data: DataDirectory) -> None:
    key = data.encryption_key()

    assert data.encryption_key() == key
    assert len(base64.urlsafe_b64decode(key)) == 32
    assert data.encryption_key_file.stat().st_mode & 0o777 == 0o600


def test_encryption_key_is_not_replaced_beside_data_that_needs_the_lost_one(data: DataDirectory) -> None:
    data.postgres.mkdir()
    (data.postgres / "PG_VERSION").write_text("18")

    with pytest.raises(StackError, match="encryption_key is missing, but the credentials in"):
        data.encryption_key()


def test_write_private_replaces_a_file_that_others_could_read(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, "new")

    assert path.read_text() == "new\n"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]
