"""Build what an operator does with secrets: replace their keys, and approve other hosts for them."""

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
    rows = SealedRows(engine, cipher)
    return KeyRotation(
        keys=keys,
        make_key=cipher.rotate,
        rewrap_key=cipher.wrap_anew,
        count_by_key=rows.count_by_key,
        reseal_some=rows.reseal_some,
        pause=time.sleep,
    )


def build_origin_approval(settings: Settings, engine: Engine | None = None) -> OriginApproval:
    """Build what lets secrets go to other hosts."""
    engine = engine or connect_operator(settings)
    cipher = Cipher(settings.encryption_key, KeyStore(engine))
    integrations = EffectiveIntegrations(engine, cipher)
    return OriginApproval(
        AccountStore(engine, cipher),
        integrations,
        find_integration=integrations.find_anywhere,
        list_integrations=integrations.list_everywhere,
        record_origins=integrations.record_origins,
    )
