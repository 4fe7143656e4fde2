"""What asks an OpenID provider and checks its answer; needs the packages of the extra ``oidc``."""

from functools import cache
from typing import Any, Final

import flask
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.flask_client import OAuth
from joserfc.errors import JoseError
from requests import RequestException

from app.services.dashboard.openid import OpenIdProvider

FAULTS: Final[tuple[type[Exception], ...]] = (AuthlibBaseError, JoseError, RequestException)
"""What goes wrong between here and a provider."""
_TIMEOUT_SECONDS: Final = 10


@cache
def build_client(provider: OpenIdProvider) -> Any:
    """Return authlib's client of a provider, which keeps the provider's keys."""
    address = f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration"
    kwargs = {"scope": "openid email profile", "code_challenge_method": "S256", "default_timeout": _TIMEOUT_SECONDS}
    return OAuth(flask.current_app).register(
        "provider",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=address,
        client_kwargs=kwargs,
    )
