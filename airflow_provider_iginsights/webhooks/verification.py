"""Is it Meta who calls: the handshake of a subscription, and the signature under every notification.

Both follow Meta's page "Webhooks from Meta: Getting Started". Every comparison takes the same time whatever it finds.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

SIGNATURE_HEADER = "X-Hub-Signature-256"
_CHALLENGE = re.compile(r"[A-Za-z0-9_.-]{1,256}")


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSecrets:
    """What Meta and we know: the app's secret, and the verify token that stands in the App Dashboard."""

    app_secret: str = field(repr=False)
    verify_token: str = field(repr=False)


def answer_verification(query: Mapping[str, str], *, verify_token: str) -> str | None:
    """Return the body that confirms a subscription, the bare ``hub.challenge``; None = answer 403.

    :param query: the query of Meta's GET: ``hub.mode``, ``hub.verify_token`` and ``hub.challenge``.
    :param verify_token: the token that was entered in the App Dashboard; an empty one confirms nothing.
    """
    # PHP turned the dots of hub.mode into underscores; Meta sends dots ("Webhooks from Meta: Getting Started").
    challenge = query.get("hub.challenge", "")
    is_known = is_same(query.get("hub.verify_token", ""), verify_token)
    is_asked = query.get("hub.mode") == "subscribe" and _CHALLENGE.fullmatch(challenge) is not None
    return challenge if is_known and is_asked else None


def sign(body: bytes, app_secret: str) -> str:
    """Return the value of ``X-Hub-Signature-256`` for a raw body: ``sha256=`` and hex HMAC-SHA256 by the app secret."""
    return "sha256=" + hmac.new(app_secret.encode(), body, hashlib.sha256).hexdigest()


def is_signed(body: bytes, signature: str | None, *, app_secret: str) -> bool:
    """Say whether Meta signed exactly these bytes.

    :param body: the request's body as it arrived: parsing it and writing it again gives other bytes.
    :param signature: the header ``X-Hub-Signature-256``, None where there is none.
    :param app_secret: the app's secret; nothing is signed by an empty one.
    """
    return bool(app_secret) and is_same(signature or "", sign(body, app_secret))


def is_same(given: str, expected: str) -> bool:
    """Compare two secrets in constant time; nothing is the same as an empty one."""
    return bool(expected) and hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode())
