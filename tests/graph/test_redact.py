"""Redaction: secrets go, the rest of the text stays."""

from __future__ import annotations

import html
import json
from base64 import b64encode, urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from string import ascii_letters, digits
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.graph.redact import SECRET_PARAMETERS, escape, redact

SECRETS = st.text(alphabet=ascii_letters + digits + '|_-/+&"\\', min_size=6, max_size=40)
FORMS: dict[str, Callable[[str], str]] = {
    "plain": str,
    "an address": lambda secret: quote(secret, safe=""),
    "a form": quote_plus,
    "an address in an address": lambda secret: quote(quote(secret, safe=""), safe=""),
    "JSON": lambda secret: json.dumps(secret)[1:-1],
    "PHP's JSON": lambda secret: json.dumps(secret)[1:-1].replace("/", "\\/"),
    "HTML": html.escape,
    "hex": lambda secret: secret.encode().hex(),
    "hex in capitals": lambda secret: secret.encode().hex().upper(),
}


@pytest.mark.parametrize("form", FORMS)
@given(secret=SECRETS, before=st.text(), after=st.text())
def test_a_known_secret_never_stays(form: str, secret: str, before: str, after: str) -> None:
    """A secret known by value is gone, plain or as an encoding writes it, whatever stands around it."""
    written = FORMS[form](secret)
    assert written not in redact(f"{before}{written}{after}", secret).replace("***", " ")


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@given(secret=st.text(alphabet=ascii_letters + digits + "|_-/+", min_size=16), before=st.binary(), after=st.binary())
def test_a_known_secret_never_stays_in_base64(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    """Of a secret that is encoded with what stands around it, at most five letters can be read at either end."""
    shown = redact(encode(before + secret.encode() + after).decode(), secret)
    assert "***" in shown
    for piece in shown.split("***"):
        for start in range(4):
            whole = piece[start:].rstrip("=")
            read = urlsafe_b64decode(whole[: len(whole) // 4 * 4].replace("+", "-").replace("/", "_"))
            assert secret[5:-5].encode() not in read


@pytest.mark.parametrize(
    ("text", "secrets", "clean"),
    [
        ("abcdef0123456789 and abc", ("abc", "abcdef0123456789"), "*** and ***"),
        ("abcdef0123456789 and abc", ("abcdef0123456789", "abc"), "*** and ***"),
        ("0123456789", ("345", "0123456789"), "***"),
    ],
)
def test_a_secret_in_another_one(text: str, secrets: tuple[str, ...], clean: str) -> None:
    """Both go as a whole, in whatever order they are known."""
    assert redact(text, *secrets) == clean


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("GET /v25.0/1?access_token=abc123&limit=2", "GET /v25.0/1?access_token=***&limit=2"),
        ("appsecret_proof=0a1b2c", "appsecret_proof=***"),
        ('{"access_token":"abc123","id":"7"}', '{"access_token":"***","id":"7"}'),
        ("next=x%3Faccess_token%3Dabc123", "next=x%3Faccess_token%3D***"),
        ("next=x%3Dz%3DEAAGm0PX4ZCpsBAKZ", "next=x%3Dz%3D***"),
        ("Malformed access token EAAGm0PX4ZCpsBAKZ", "Malformed access token ***"),
        ("Authorization: Bearer abcdefghij0123456789xyz", "Authorization: Bearer ***"),
        ("token IGAAabcdefgh1234 is bad", "token *** is bad"),
        ("token IGQVJabcdefgh1234 is bad", "token *** is bad"),
        ("token IGQWRabcdefgh1234 is bad", "token *** is bad"),
        (r"a text\nEAAGm0PX4ZCpsBAKZ\tof JSON", r"a text\n***\tof JSON"),
        (r"in JSON in JSON \\u0022EAAGm0PX4ZCpsBAKZ\\u0022", r"in JSON in JSON \\u0022***\\u0022"),
        ("page_EAAGm0PX4ZCpsBAKZ", "page_***"),
        ("app 1084263100001234|0123456789abcdef0123", "app ***"),
        ("app 1084263100001234%7C0123456789abcdef0123", "app ***"),
    ],
)
def test_what_looks_like_a_secret_goes(text: str, clean: str) -> None:
    """Credentials are recognised by their parameter's name or by their shape."""
    assert redact(text) == clean


@pytest.mark.parametrize(
    "text",
    [
        "(#100) metric[0] must be one of the following values: impressions, reach, saved",
        "Error validating access token: Session has expired on Thursday, 29-Jul-21 10:00:00 PDT.",
        "API calls from the server require an appsecret_proof argument",
        "(#4) Application request limit reached",
        "Unsupported get request. Object with ID '17841405822304914' does not exist",
    ],
)
def test_ordinary_messages_stay(text: str) -> None:
    """Meta's usual texts come through unharmed, since people need them."""
    assert redact(text) == text


@pytest.mark.parametrize("name", sorted(SECRET_PARAMETERS))
def test_a_request_shows_no_credential(name: str) -> None:
    """A request's repr names its parameters but hides the value of one that is a credential."""
    shown = repr(GraphRequest("debug_token", {name: "abc123", "fields": "id"}))
    assert "abc123" not in shown
    assert name in shown
    assert "'fields': 'id'" in shown


def test_a_secret_is_known_in_any_case() -> None:
    """Names of hosts come in lower case: a secret that stands in one is recognised all the same."""
    assert redact("HTTP 302 to s3cret.evil.test", "S3cReT") == "HTTP 302 to ***.evil.test"


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("red \x1b[31m", r"red \x1b[31m"),
        ("two\r\nlines\tand a tab", r"two\r\nlines\tand a tab"),
        ("\x00\x7f\x85\x9b", r"\x00\x7f\x85\x9b"),
        ("user \u202etxt.exe", r"user \u202etxt.exe"),
        ("\u2066\u2069\u200e\u200f\u061c\u2028\u2029\ufeff", r"\u2066\u2069\u200e\u200f\u061c\u2028\u2029\ufeff"),
        ("half \ud83d an emoji", r"half \ud83d an emoji"),
        ("tag \U000e0041", r"tag \U000e0041"),
        (
            "ordinary: é 文字 עברית العربية 😀 👩\u200d👧 می\u200cخواهم",
            "ordinary: é 文字 עברית العربية 😀 👩\u200d👧 می\u200cخواهم",
        ),
    ],
)
def test_what_hides_or_moves_text_is_spelt_out(text: str, escaped: str) -> None:
    """Control characters and marks of direction become visible; ordinary text of any language stays."""
    assert escape(text) == escaped
