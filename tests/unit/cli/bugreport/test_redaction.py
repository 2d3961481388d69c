"""No secret is left, and what is none stays."""

import json
from base64 import b64encode

import pytest

from steerway.admin.api.redaction import REDACTED
from steerway.cli.bugreport.redaction import Redaction

KEY = "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIKtmS2\nplanted\n-----END EC PRIVATE KEY-----"


@pytest.mark.parametrize(
    "text",
    [
        "authorization: Bearer planted.token-1234",
        "GET / Authorization: Basic cGxhbnRlZDpwbGFudGVk",
        "token=planted-1234",
        '{"admin_token": "planted-1234", "a": 1}',
        "db_password: planted-1234",
        "--api-key=planted-1234",
        "PASSWORD='planted-1234'",
        "https://user:planted-1234@host/path",
        f"key:\n{KEY}\nend",
        json.dumps({"key": KEY}),
        "jwt eyJhbGciOiJSUzI1.eyJwbGFudGVkIjoxfQ.c2lnbmF0dXJl",
    ],
)
def test_forms_of_secrets_in_texts(text: str) -> None:
    cleaned = Redaction().text(text)
    assert REDACTED in cleaned
    for secret in ("planted", "cGxhbnRlZDpwbGFudGVk", "eyJ", "MHcCAQ"):
        assert secret not in cleaned


@pytest.mark.parametrize(
    "text",
    [
        "admin_token_file: /etc/steerway/admin/token",
        "tls:\n  key: /etc/steerway/tls/tls.key",
        "secretName: /x",
        "service_account: token_review",
        "2026-11-30 INFO listening address=0.0.0.0:18000",
        "backend.shop.svc.cluster.local:50051",
        "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redaction().text(text) == text


def test_values_of_secrets_are_removed_wherever_they_occur() -> None:
    """Also in base64, and single lines; certificates, names and short words stay."""
    encoded = b64encode(b"planted-value\nsecond-line").decode()
    data = {
        "value": encoded,
        "tls.crt": b64encode(b"public-value").decode(),
        "namespace": b64encode(b"steerway-system").decode(),
        "flag": b64encode(b"true").decode(),
    }
    redaction = Redaction([{"data": data}])
    text = f"a planted-value b second-line c {encoded} public-value steerway-system true"
    assert redaction.text(text) == (
        f"a {REDACTED} b {REDACTED} c {REDACTED} public-value steerway-system true"
    )


def test_objects() -> None:
    """Values of a Secret, variables with the name of one, and copies of the object."""
    secret = {"kind": "Secret", "metadata": {"name": "a"}, "data": {"x": "cGxhbnRlZA=="}}
    assert Redaction().manifest(secret)["data"] == {"x": REDACTED}
    pod = {
        "kind": "Pod",
        "metadata": {
            "name": "a",
            "managedFields": [{}],
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "planted", "kept": "yes"},
        },
        "spec": {
            "containers": [
                {
                    "env": [{"name": "DB_PASSWORD", "value": "planted"}, {"name": "ZONE", "value": "eu-1a"}],
                    "args": ["serve", "--token=planted"],
                }
            ]
        },
    }
    cleaned = Redaction().manifest(pod)
    assert "planted" not in json.dumps(cleaned)
    assert cleaned["metadata"] == {"name": "a", "annotations": {"kept": "yes"}}
    assert cleaned["spec"]["containers"][0]["env"][1] == {"name": "ZONE", "value": "eu-1a"}
    assert pod["metadata"]["managedFields"] == [{}]
