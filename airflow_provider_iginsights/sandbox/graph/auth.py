"""Who asks: finds the token of a call, checks it, and says what it may see."""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.numbers import PACIFIC
from airflow_provider_iginsights.sandbox.graph.objects import Token, appsecret_proof
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["Login", "authenticate", "debug_token", "find_token", "require"]

Login = Literal["facebook", "instagram"]

READ: Mapping[Login, tuple[str, ...]] = {
    "facebook": ("instagram_basic",),
    "instagram": ("instagram_business_basic",),
}
INSIGHTS: Mapping[Login, tuple[str, ...]] = {
    "facebook": ("instagram_basic", "instagram_manage_insights", "pages_read_engagement"),
    "instagram": ("instagram_business_basic", "instagram_business_manage_insights"),
}
PORTFOLIO: Mapping[Login, tuple[str, ...]] = {"facebook": ("business_management",), "instagram": ()}


_APP_TOKEN = re.compile(r"\d+\|")


def authenticate(
    world: World, value: str | None, params: Mapping[str, str], *, login: Login, now: datetime, path: str
) -> Token:
    """Return the token that a call carries. Raises Meta's errors for none, unknown, expired, or a wrong proof."""
    if not value:
        raise fail("no_active_token" if path.startswith("/me") else "no_token")
    token = find_token(world, value, login=login, now=now)
    # A proof is checked wherever it is sent, and asked for only where the app says so ("Secure Graph API requests").
    proof = params.get("appsecret_proof")
    if proof is None and token.proof_required:
        raise fail("proof_missing")
    if proof is not None and not hmac.compare_digest(proof, appsecret_proof(value, token.app_secret)):
        raise fail("proof_wrong")
    return token


def find_token(world: World, value: str, *, login: Login, now: datetime) -> Token:
    """Return the token with this value. Raises Meta's errors for an unknown and an expired one."""
    token = world.token(value)
    if token is None and _APP_TOKEN.match(value):
        raise fail("bad_app_token")
    # A token of one login is unreadable to the host of the other.
    if token is None or token.revoked or (token.kind == "instagram") != (login == "instagram"):
        raise fail("bad_token")
    if token.expires_at is not None and now >= token.expires_at:
        raise fail("expired_token", expired=_spell(token.expires_at), now=_spell(now))
    return token


def require(token: Token, permissions: tuple[str, ...], *, account_id: str | None = None) -> None:
    """Raise the permission error (10) unless the token has all of the permissions, and has them for the account."""
    if not token.permissions.issuperset(permissions):
        raise fail("no_permission")
    if account_id and any(account_id not in token.targets.get(each, (account_id,)) for each in permissions):
        raise fail("no_permission")


def debug_token(world: World, value: str, now: datetime, *, viewer: Token) -> dict[str, Any]:
    """Return what /debug_token says about the token with this value to ``viewer``, a token of the same app."""
    token = world.token(value)
    if token is None or token.revoked:
        error = {"code": 190, "message": "Invalid OAuth access token."}
        # What is wrong with a token is told in a good answer, not as an error ("Debug token").
        return {"data": {"error": error, "is_valid": False, "scopes": []}}
    if token.app_id != viewer.app_id:
        raise fail("other_app")
    is_valid = token.expires_at is None or now < token.expires_at
    data: dict[str, Any] = {
        "app_id": token.app_id,
        "type": token.kind.upper(),
        "application": "Sandbox",
        "data_access_expires_at": _unix(token.data_access_expires_at),
        "expires_at": _unix(token.expires_at),
        "is_valid": is_valid,
        "scopes": sorted(token.permissions),
        "granular_scopes": [_describe_scope(token, scope) for scope in sorted(token.permissions)],
        "user_id": token.user_id,
    }
    if token.issued_at is not None:
        data["issued_at"] = _unix(token.issued_at)
    if not is_valid:
        data["error"] = {"code": 190, "subcode": 463, "message": "Error validating access token: Session has expired."}
    return {"data": data}


def _describe_scope(token: Token, scope: str) -> dict[str, Any]:
    ids = token.targets.get(scope, token.account_ids if scope.startswith("instagram_") else None)
    # Without target_ids it holds for all that its person has.
    return {"scope": scope} if ids is None else {"scope": scope, "target_ids": list(ids)}


def _unix(instant: datetime | None) -> int:
    # 0 means never ("Debug token").
    return 0 if instant is None else int(instant.timestamp())


def _spell(instant: datetime) -> str:
    return instant.astimezone(PACIFIC).strftime("%A, %d-%b-%y %H:%M:%S %Z")
