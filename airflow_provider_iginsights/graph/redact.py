"""Removes secrets from texts: by their value, by the name of their parameter, or because they look like a token."""

from __future__ import annotations

import html
import json
import re
from base64 import b64encode
from functools import lru_cache
from urllib.parse import quote, quote_plus

SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "appsecret_proof",
        "client_secret",
        "fb_exchange_token",
        "input_token",
        "refresh_token",
    }
)
"""Names of Graph API parameters whose values are secrets."""

MASK = "***"

_NAMED = re.compile(rf"({'|'.join(sorted(SECRET_PARAMETERS))})(=|%3D|\W{{0,3}}:\W{{0,4}})[^&\s\"'<>,;]+", re.I)
_BEARER = re.compile(r"\b(Bearer|OAuth)\s+(?=\S*\d)[\w|.~+/=-]{20,}")
# Meta's access tokens begin with EAA (Facebook Login) or IG (Instagram Login), or are APP_ID|SECRET (apps). Before them
# may stand an escape of a URL or of JSON, which ends with a letter or a digit.
_SHAPED = re.compile(
    r"(?:(?<![A-Za-z0-9])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[bfnrt])|(?<=\\u[0-9A-Fa-f]{4}))"
    r"(?:EAA[A-Za-z0-9]{8,}|IG(?:AA|Q[A-Z])[A-Za-z0-9_-]{8,}|\d{8,}(?:\||%7C)[\w-]{16,})"
)
_LEAST_ENCODED = 8
"""Letters of base64 that are looked for: fewer stand in any text."""

# Control characters, line ends, marks that change the direction of a text, lone surrogates and tags could forge a
# line of a log or hide a part of it.
_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f]"
)


def escape(text: str) -> str:
    """Return a text for a message or a log: characters that move or hide text are replaced by their escapes."""
    return _HIDDEN.sub(lambda found: ascii(found[0])[1:-1], text)


def redact(text: str, *secrets: str | None) -> str:
    """Return ``text`` without these ``secrets``, also as an encoding writes them, and without what looks like one."""
    written = {form for secret in filter(None, secrets) for form in _list_forms(secret)}
    lower = text.lower()
    # The longest first: what stands in another one must not break it.
    for form in sorted((form for form in written if form.lower() in lower), key=len, reverse=True):
        text = re.sub(re.escape(form), MASK, text, flags=re.IGNORECASE)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _SHAPED.sub(MASK, text)


@lru_cache(maxsize=16)
def _list_forms(secret: str) -> frozenset[str]:
    """Return a secret as it stands in a text, an address, JSON, HTML, hex and base64."""
    quoted, escaped = quote(secret, safe=""), json.dumps(secret)[1:-1]
    found = {secret, quoted, quote_plus(secret), quote(quoted, safe="")}
    found |= {escaped, escaped.replace("/", "\\/"), html.escape(secret), secret.encode().hex()}
    # A longer text has it at one of three offsets; the letters at both ends depend on what stands around it.
    base64s = (b64encode(b"\0" * before + secret.encode())[4 if before else 0 : -4].decode() for before in range(3))
    for inside in (form for form in base64s if len(form) >= _LEAST_ENCODED):
        found |= {inside, inside.replace("+", "-").replace("/", "_")}
    return frozenset(found)
