"""Gets a newer token for one that still works: Facebook Login exchanges it, Instagram Login refreshes it.

Meta takes the token and the app's secret of these two requests in the query and nowhere else ("Long-Lived Access
Tokens", "Refresh Access Token"). So they are the exception from the rule that no token stands in a URL. As all requests
do, they leave over https, or stay on this machine (the sandbox); and the transport adds the secret part of the query at
the last moment, so that no HTTP library can log it or quote it in an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from airflow_provider_iginsights.errors import BrokenResponse, ConfigurationError
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest
from airflow_provider_iginsights.hooks.access_token import RefreshedToken
from airflow_provider_iginsights.hooks.debug_token import TOKEN, debug_token, shorten_timeouts
from airflow_provider_iginsights.hooks.secret_frames import without_frames
from airflow_provider_iginsights.hooks.token_end import TokenEnd
from airflow_provider_iginsights.hooks.token_variable import mask_token
from airflow_provider_iginsights.json_values import read_count, read_text

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.settings import GraphSettings
    from airflow_provider_iginsights.hooks.connection import InstagramConnection

EXCHANGE = "oauth/access_token"
REFRESH = "refresh_access_token"
YOUNGEST = timedelta(hours=24)
"""How old a token of Instagram Login must be to be refreshed."""


@without_frames
def refresh_token(client: GraphClient, connection: InstagramConnection, *, kind: str | None) -> RefreshedToken:
    """Return a new token for that of a connection, after Meta has answered to it once; the old one goes on working.

    :param client: a client of this connection.
    :param kind: the kind of token, as ``debug_token`` spells it; None = unknown.
    :raises ConfigurationError: the connection lacks the app's id or secret (Facebook Login), or they are wrong.
    :raises InsightsError: Meta does not exchange or refresh the token, or refuses the new one.
    """
    answer = client.get(_build_request(connection, kind))
    value = read_text(answer.body.get("access_token")) or ""
    mask_token(value)
    issued = answer.date or datetime.now(UTC)
    renewed = replace(connection, settings=_replace_token(connection.settings, value), stored=None)
    with GraphClient(shorten_timeouts(renewed.settings)) as new_client:
        new_client.get(GraphRequest("me", {"fields": "id"}, TOKEN))
    return RefreshedToken(
        value=value,
        instagram_conn_id=connection.conn_id,
        end=_find_end(renewed, expires_in=read_count(answer.body.get("expires_in")), issued=issued),
        refreshed_at=int(issued.timestamp()),
    )


def _build_request(connection: InstagramConnection, kind: str | None) -> GraphRequest:
    settings = connection.settings
    if settings.login == "instagram":
        return GraphRequest(REFRESH, {"grant_type": "ig_refresh_token", "access_token": settings.token}, TOKEN)
    if not (connection.app_id and settings.app_secret):
        raise ConfigurationError(
            f"Connection {connection.conn_id!r} has no app_id or no app_secret in its extras, and Meta exchanges a "
            "token only for its app. Both stand in the App Dashboard under Settings > Basic."
        )
    params: Mapping[str, str] = {
        "grant_type": "fb_exchange_token",
        "client_id": connection.app_id,
        "client_secret": settings.app_secret,
        "fb_exchange_token": settings.token,
    }
    # "Install Apps and Generate Tokens": the exchange of a system user's token has this parameter.
    more = {"set_token_expires_in_60_days": "true"} if kind == "SYSTEM_USER" else {}
    return GraphRequest(EXCHANGE, {**params, **more}, TOKEN)


def _replace_token(settings: GraphSettings, value: str) -> GraphSettings:
    with suppress(ConfigurationError):
        return replace(settings, token=value)
    raise BrokenResponse("Meta's answer has no access token that can be used. The old one goes on working; try again.")


def _find_end(renewed: InstagramConnection, *, expires_in: int | None, issued: datetime) -> TokenEnd:
    """Return when the new token ends, by its answer, and else by ``debug_token``."""
    debugged = debug_token(renewed)
    expires_at = debugged.expires_at if expires_in is None else int(issued.timestamp()) + expires_in
    return TokenEnd(expires_at=expires_at, data_access_expires_at=debugged.data_access_expires_at)
