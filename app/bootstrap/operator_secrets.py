"""Build what an operator does with secrets: replace their keys, let them go to other hosts."""

import time

from sqlalchemy import Engine

from app.bootstrap.operators import connect_operator
from app.services.accounts.origin_approval import OriginApproval
from app.services.maintenance.key_rotation import KeyRotation
from app.settings import Settings
from app.store.accounts.accounts import AccountStore
from app.store.catalog.environment_integrations import EffectiveIntegrations
from app.store.secrets.encryption import Cipher
from app.store.secrets.encryption_keys import KeyStore
from app.store.secrets.sealed_rows import SealedRows


def build_key_rotation(settings: Settings) -> KeyRotation:
    """Build what replaces the key that seals secrets."""
    engine = connect_operator(settings)
    keys = KeyStore(engine)
    cipher = Cipher(settings.encryption_key, keys)
    return KeyRotation(
        keys=keys,
        make_key=cipher.rotate,
        rewrap_key=cipher.rewrapped,
        rows=SealedRows(engine, cipher),
        pause=time.sleep,
    )


def build_origin_approval(settings: Settings, engine: Engine | None = None) -> OriginApproval:
    """Build what lets secrets go to other hosts."""
    engine = engine or connect_operator(settings)
    cipher = Cipher(settings.encryption_key, KeyStore(engine))
    return OriginApproval(AccountStore(engine, cipher), EffectiveIntegrations(engine, cipher))
