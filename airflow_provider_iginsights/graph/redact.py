"""Removes secrets from texts: by their value, by the name of their parameter, or because they look like a token."""

from __future__ import annotations

import re
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
# Meta's access tokens begin with EAA (Facebook Login) or IG (Instagram Login), or are APP_ID|SECRET (apps).
_SHAPED = re.compile(
    r"(?:\b|(?<=%[0-9A-Fa-f]{2}))(?:EAA[A-Za-z0-9]{8,}|IG(?:AA|QV)[A-Za-z0-9_-]{8,}|\d{8,}(?:\||%7C)[\w-]{16,})"
)

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
    """Return ``text`` without the given ``secrets``, plain or URL-encoded, and without all that looks like a token."""
    for secret in filter(None, secrets):
        for written in sorted({secret, quote(secret, safe=""), quote_plus(secret)}, key=len, reverse=True):
            text = re.sub(re.escape(written), MASK, text, flags=re.IGNORECASE)
    text = _NAMED.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"\1 {MASK}", text)
    return _SHAPED.sub(MASK, text)
