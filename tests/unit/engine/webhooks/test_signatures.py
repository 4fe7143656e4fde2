"""Signatures, checked by the reference implementation and by hand."""

import base64
import hashlib
import hmac
import time

import pytest
from standardwebhooks import Webhook

from app.engine.webhooks import signatures

BODY = b'{"id":"e1","event":"test"}'


def signed(*secrets: str, encoding: str = "hex") -> dict[str, str]:
    now = int(time.time())
    return signatures.sign_headers(secrets, encoding=encoding, event_id="e1", timestamp_seconds=now, body=BODY)


def test_standard_webhooks_library_verifies_the_headers():
    secret = signatures.make_secret()

    assert Webhook(secret).verify(BODY, signed(secret)) == {"id": "e1", "event": "test"}


def test_standard_webhooks_library_refuses_another_secret():
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(signatures.make_secret()).verify(BODY, signed(signatures.make_secret()))


@pytest.mark.parametrize(
    ("encoding", "encode"), [("hex", lambda digest: digest.hex()), ("base64", lambda d: base64.b64encode(d).decode())]
)
def test_truto_signature_is_the_hmac_of_the_raw_body(encoding, encode):
    digest = hmac.new(b"my-secret", BODY, hashlib.sha256).digest()

    assert signed("my-secret", encoding=encoding)["X-Truto-Signature"] == f"format=sha256,v={encode(digest)}"


def test_both_secrets_verify_while_two_are_valid_and_a_third_does_not():
    new, old = signatures.make_secret(), signatures.make_secret()

    headers = signed(new, old)

    assert len(headers["webhook-signature"].split(" ")) == 2
    for secret in (new, old):
        assert Webhook(secret).verify(BODY, headers)
    with pytest.raises(Exception, match="No matching signature"):
        Webhook(signatures.make_secret()).verify(BODY, headers)
    for name, secret in (("X-Truto-Signature", new), ("X-Truto-Signature-Previous", old)):
        digest = hmac.new(secret.encode(), BODY, hashlib.sha256).hexdigest()
        assert headers[name] == f"format=sha256,v={digest}"


def test_one_secret_alone_has_no_header_of_a_previous_one():
    assert "X-Truto-Signature-Previous" not in signed("my-secret")
