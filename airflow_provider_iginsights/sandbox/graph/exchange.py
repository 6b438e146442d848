"""The two ways to a newer token: an exchange at graph.facebook.com, a refresh at graph.instagram.com."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from airflow_provider_iginsights.sandbox.graph import auth
from airflow_provider_iginsights.sandbox.graph.errors import fail
from airflow_provider_iginsights.sandbox.graph.objects import Token
from airflow_provider_iginsights.sandbox.graph.world import World

__all__ = ["exchange_token", "refresh_token"]

LIFE = timedelta(days=60)
# "Refresh Access Token": the token must be at least that old.
YOUNGEST = timedelta(hours=24)


def exchange_token(world: World, params: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return a new token of 60 days for one of the app's; a token that never ends is exchanged for one like it.

    Its access to the data ends when it did before: only a login of the person moves that.
    """
    app_id = params.get("client_id", "")
    if params.get("grant_type") != "fb_exchange_token":
        raise fail("required", name="grant_type")
    if not world.has_app(app_id):
        raise fail("no_app")
    if not world.has_app(app_id, params.get("client_secret", "")):
        raise fail("wrong_secret")
    old = auth.find_token(world, params.get("fb_exchange_token", ""), login="facebook", now=now)
    if old.app_id != app_id:
        raise fail("token_of_other_app", app_id=app_id)
    ends = None if old.expires_at is None else now + LIFE
    value = "EAAG" + hashlib.sha256(f"{old.value} {now.isoformat()}".encode()).hexdigest()[:40]
    world.put(replace(old, value=value, issued_at=now, expires_at=ends))
    return {"access_token": value, "token_type": "bearer"} | ({} if ends is None else _life())


def refresh_token(world: World, token: Token, params: Mapping[str, str], now: datetime) -> dict[str, Any]:
    """Return the same token with 60 days from now."""
    auth.require(token, auth.READ["instagram"])
    if params.get("grant_type") != "ig_refresh_token":
        raise fail("required", name="grant_type")
    if token.issued_at is not None and now - token.issued_at < YOUNGEST:
        # No answer to this was found in public. The text is what that path says to a token which it does not take.
        raise fail("unsupported_method", method="get")
    world.put(replace(token, issued_at=now, expires_at=now + LIFE))
    permissions = ",".join(sorted(token.permissions))
    return {"access_token": token.value, "token_type": "bearer", **_life(), "permissions": permissions}


def _life() -> dict[str, int]:
    return {"expires_in": int(LIFE.total_seconds())}
