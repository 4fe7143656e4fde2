"""Build what lets secrets go to other hosts, for an operator's commands."""

from app.bootstrap.operating import operator_engine
from app.services.origin_approval import OriginApproval
from app.settings import Settings
from app.store.accounts import AccountStore
from app.store.encryption import Cipher
from app.store.encryption_keys import KeyStore
from app.store.environment_integrations import EffectiveIntegrations


def origin_approval(settings: Settings) -> OriginApproval:
    """Build it over a database."""
    engine = operator_engine(settings)
    cipher = Cipher(settings.encryption_key, KeyStore(engine))
    integrations = EffectiveIntegrations(engine, cipher)
    return OriginApproval(AccountStore(engine, cipher), integrations, integrations)
