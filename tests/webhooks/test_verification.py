"""Only Meta passes: the handshake and the signature, against values that were computed elsewhere."""

from __future__ import annotations

import pytest

from airflow_provider_iginsights.webhooks.verification import WebhookSecrets, answer_verification, is_signed, sign

QUERY = {"hub.mode": "subscribe", "hub.verify_token": "meatyhamhock", "hub.challenge": "1158201444"}
# echo -n '{"object":"instagram"}' | openssl dgst -sha256 -hmac 0123456789abcdef
BODY, SECRET = b'{"object":"instagram"}', "0123456789abcdef"
DIGEST = "015b6432118dcbfbf302510286548962ac18e940cc8c11fc53a9f5309b3bb095"


def test_the_challenge_comes_back_bare() -> None:
    """The right verify token is answered with the challenge and nothing else."""
    assert answer_verification(QUERY, verify_token="meatyhamhock") == "1158201444"


@pytest.mark.parametrize(
    "changed",
    [
        {"hub.verify_token": "meatyhamhoc"},
        {"hub.verify_token": ""},
        {"hub.verify_token": "m\u00e9atyhamhock"},
        {"hub.mode": "unsubscribe"},
        {"hub.mode": ""},
        {"hub.challenge": ""},
        {"hub.challenge": "<script>alert(1)</script>"},
        {"hub.challenge": "1" * 257},
    ],
)
def test_anything_else_is_not_confirmed(changed: dict[str, str]) -> None:
    """Another token, another mode, or a challenge that could be more than one is refused."""
    assert answer_verification(QUERY | changed, verify_token="meatyhamhock") is None


@pytest.mark.parametrize("name", QUERY)
def test_a_missing_parameter_is_not_confirmed(name: str) -> None:
    """All three parameters are needed."""
    query = {key: value for key, value in QUERY.items() if key != name}
    assert answer_verification(query, verify_token="meatyhamhock") is None


def test_an_empty_verify_token_confirms_nothing() -> None:
    """A receiver without a token does not take an empty one for it."""
    assert answer_verification(QUERY | {"hub.verify_token": ""}, verify_token="") is None


def test_the_signature_is_that_of_openssl() -> None:
    """The signature under a body is what openssl computes."""
    assert sign(BODY, SECRET) == f"sha256={DIGEST}"
    assert is_signed(BODY, f"sha256={DIGEST}", app_secret=SECRET)


@pytest.mark.parametrize(
    ("body", "signature", "app_secret"),
    [
        (BODY + b" ", f"sha256={DIGEST}", SECRET),
        (BODY, f"sha256={DIGEST}", "0123456789abcdee"),
        (BODY, DIGEST, SECRET),
        (BODY, f"sha1={DIGEST}", SECRET),
        (BODY, f"sha256={DIGEST[:-1]}", SECRET),
        (BODY, "sha256=\udcff", SECRET),
        (BODY, "", SECRET),
        (BODY, None, SECRET),
        (BODY, sign(BODY, ""), ""),
    ],
)
def test_what_is_not_signed_is_known(body: bytes, signature: str | None, app_secret: str) -> None:
    """Other bytes, another secret, another algorithm, a cut, absent or odd header, an empty secret: not signed."""
    assert not is_signed(body, signature, app_secret=app_secret)


def test_secrets_do_not_show() -> None:
    """The text of the secrets object holds neither of them."""
    text = repr(WebhookSecrets(app_secret="s3cret-of-the-app", verify_token="t0ken-of-the-app"))
    assert "s3cret" not in text
    assert "t0ken" not in text
