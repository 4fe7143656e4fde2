"""Refuse to serve with a key that is not that of the database."""

from app.engine.errors import StoreUnavailableError
from app.settings import Settings
from app.store.db.database import connect
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore


def check_encryption_key(settings: Settings) -> None:
    """Raise UnreadableSecretError when the encryption key does not open the database's secrets.

    A database that is away, or not migrated yet, is left to the process that waits for it.
    """
    engine = connect(settings.database_url, pool_size=1)
    try:
        Cipher(settings.encryption_key, KeyStore(engine)).check_encryption_key()
    except StoreUnavailableError:
        return
    finally:
        engine.dispose()
