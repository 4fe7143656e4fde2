"""Data keys are looked for where that is worth it: whoever makes up key ids does not make Postgres work."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest
from cryptography.fernet import Fernet

from app.engine.errors import StoreUnavailableError, UnreadableSecretError
from app.engine.ids import new_id
from app.services.ports import SealPurpose
from app.store.secrets.bound_values import Place
from app.store.secrets.encryption import Cipher, TokenSeal
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.master_keys import LOOK_SECONDS

PLACE = Place("environment|table|column|row")
TOKEN = SealPurpose.NEXT_CURSOR


@dataclass
class CountedKeys(KeyStore):
    """Keys that count how often they are looked at."""

    keys: dict[str, bytes] = field(default_factory=dict)
    newest: str = ""
    looks: int = 0
    unbound_looks: int = 0
    is_away: bool = False
    is_unbound_refused: bool = False

    def current(self) -> tuple[str, bytes] | None:
        return (self.newest, self.keys[self.newest]) if self.newest else None

    def make_current(self, key_id: str, wrapped: bytes, *, instead_of: str | None) -> None:
        self.newest = key_id
        self.keys[key_id] = wrapped

    def find(self, key_id: str) -> bytes | None:
        self.looks += 1
        return self.keys.get(key_id)

    def wrapped(self) -> dict[str, bytes]:
        self.looks += 1
        if self.is_away:
            raise StoreUnavailableError
        return dict(self.keys)

    def refuses_unbound(self) -> bool:
        self.unbound_looks += 1
        return self.is_unbound_refused


@dataclass
class TwoProcesses:
    """A process, and another one beside it, with one clock."""

    keys: CountedKeys = field(default_factory=CountedKeys)
    now: float = 1000.0
    master: str = field(default_factory=lambda: Fernet.generate_key().decode())

    def cipher(self) -> Cipher:
        return Cipher(self.master, self.keys, monotonic=lambda: self.now)


@pytest.fixture
def at() -> TwoProcesses:
    return TwoProcesses()


def made_up() -> bytes:
    return f"k2:{new_id()[:8]}:AAAA".encode()


def test_a_thousand_made_up_key_ids_cost_one_look_a_second(at: TwoProcesses) -> None:
    seal = TokenSeal(at.cipher())

    for number in range(1000):
        if number == 500:
            at.now += 1.0
        with pytest.raises(UnreadableSecretError, match="is gone"):
            seal.open(made_up(), TOKEN)

    assert at.keys.looks == 2


def test_a_new_key_is_found_in_spite_of_made_up_ones(at: TwoProcesses) -> None:
    other, seal = TokenSeal(at.cipher()), TokenSeal(at.cipher())
    with pytest.raises(UnreadableSecretError):
        seal.open(made_up(), TOKEN)
    token = other.seal("x", TOKEN)

    at.now += 1.0
    with pytest.raises(UnreadableSecretError):
        seal.open(made_up(), TOKEN)

    assert seal.open(token, TOKEN) == "x"
    assert at.keys.looks == 2


def test_all_who_come_at_once_wait_for_the_one_look(at: TwoProcesses) -> None:
    token, seal = TokenSeal(at.cipher()).seal("x", TOKEN), TokenSeal(at.cipher())
    start = threading.Barrier(8)

    def open_token() -> object:
        start.wait()
        return seal.open(token, TOKEN)

    with ThreadPoolExecutor(8) as pool:
        opened = [pool.submit(open_token) for _ in range(8)]

    assert [one.result() for one in opened] == ["x"] * 8
    assert at.keys.looks == 1


def test_a_look_that_failed_is_made_again(at: TwoProcesses) -> None:
    token, seal = TokenSeal(at.cipher()).seal("x", TOKEN), TokenSeal(at.cipher())
    at.keys.is_away = True
    with pytest.raises(StoreUnavailableError):
        seal.open(token, TOKEN)

    at.keys.is_away = False

    assert seal.open(token, TOKEN) == "x"


def test_the_key_of_a_row_is_always_looked_for(at: TwoProcesses) -> None:
    cipher, other = at.cipher(), at.cipher()
    with pytest.raises(UnreadableSecretError):
        TokenSeal(cipher).open(made_up(), TOKEN)

    sealed = other.seal("x", PLACE)

    assert cipher.open(sealed, PLACE) == "x"


def test_the_format_before_is_asked_about_seldom_and_never_again_after_a_no(at: TwoProcesses) -> None:
    cipher = at.cipher()
    old = Fernet(at.master).encrypt(b'"x"')
    for _ in range(100):
        assert cipher.open(old, PLACE) == "x"
    at.keys.is_unbound_refused = True

    for _ in range(5):
        at.now += LOOK_SECONDS
        with pytest.raises(UnreadableSecretError, match="bound to no row, which is refused"):
            cipher.open(old, PLACE)

    assert at.keys.unbound_looks == 2


def test_what_is_bound_never_asks(at: TwoProcesses) -> None:
    cipher = at.cipher()

    assert cipher.open(cipher.seal({"a": [1]}, PLACE), PLACE) == {"a": [1]}
    assert (at.keys.looks, at.keys.unbound_looks) == (0, 0)
