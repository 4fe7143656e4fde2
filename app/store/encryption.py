"""Encrypt credentials and secrets at rest with Fernet (AES-128-CBC and HMAC-SHA256)."""

import json

from cryptography.fernet import Fernet, MultiFernet

from app.engine.json_types import JSON


class Cipher:
    """Seals JSON values; several keys, parted by commas, open what any of them sealed, and the first one seals."""

    def __init__(self, keys: str) -> None:
        self._fernet = MultiFernet([Fernet(key.strip()) for key in keys.split(",")])

    def seal(self, value: JSON) -> bytes:
        """Encrypt a JSON value."""
        return self._fernet.encrypt(json.dumps(value).encode())

    def open(self, sealed: bytes) -> JSON:
        """Decrypt what ``seal`` gave; raises InvalidToken for another key's."""
        return json.loads(self._fernet.decrypt(bytes(sealed)))
