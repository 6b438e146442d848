"""What ``debug_token`` says about a token: its kind, its permissions, and when it and its access to the data end.

It takes the app's own token, ``APP_ID|APP_SECRET`` (Meta, "Access tokens"). That and the token that is looked at travel
in the body of a batch request: as parameters of a plain request they would stand in a URL.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_iginsights.errors import InsightsError
from airflow_provider_iginsights.graph.client import GraphClient
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.hooks.token_end import TokenEnd
from airflow_provider_iginsights.json_values import (
    read_id,
    read_list,
    read_object,
    read_objects,
    read_text,
    read_whole_number,
)

if TYPE_CHECKING:
    from airflow_provider_iginsights.graph.settings import GraphSettings
    from airflow_provider_iginsights.hooks.connection import InstagramConnection

TOKEN = Subject("token", "")
_YEAR_10000 = 253_402_300_800  # the year 10000, which no date can name

_NO_PAIR = (
    "The connection's app_id and app_secret do not belong together: Meta knows no such app. Correct them; both stand "
    "in the App Dashboard under Settings > Basic."
)
# META-37: the answers to an app token of another app, of an unknown app, and with a wrong secret.
# Such a token has no owner, so the texts are not translated; the codes are enough.
_REFUSALS: Mapping[int | None, str] = {
    100: "The token was issued by another app than the one that app_id names. Put the id and the secret of the token's "
    "own app into the connection, or make the token with this app.",
    101: _NO_PAIR,
    190: _NO_PAIR,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DebuggedToken:
    """What Meta says about a token.

    :param kind: as Meta spells it, such as ``SYSTEM_USER``; None = unknown.
    :param permissions: granted ones; None = unknown.
    :param expires_at: Unix seconds, 0 = never, None = unknown; likewise ``data_access_expires_at``.
    :param targets: permission to the ids of the objects that it holds for, None = all; None as a whole = unknown.
    :param refusal: why Meta did not say it, in a sentence; ``""`` = it did, or the reason is none of the connection's.
    """

    kind: str | None = None
    permissions: frozenset[str] | None = None
    expires_at: int | None = None
    data_access_expires_at: int | None = None
    targets: Mapping[str, frozenset[str] | None] | None = None
    refusal: str = ""

    @property
    def end(self) -> TokenEnd:
        """Return when it ends."""
        return TokenEnd(expires_at=self.expires_at, data_access_expires_at=self.data_access_expires_at)


def shorten_timeouts(settings: GraphSettings) -> GraphSettings:
    """Return settings for what must be answered, or given up, within seconds."""
    return replace(settings, connect_timeout=5, read_timeout=min(settings.read_timeout, 15), max_tries=2, max_wait=10)


def debug_token(connection: InstagramConnection) -> DebuggedToken:
    """Return what Meta says about a connection's token, without ``app_id`` and ``app_secret`` nothing.

    Instagram Login has no such request. Where Meta does not say when the token ends, the Variable that keeps it may.
    Never raises an InsightsError.
    """
    debugged = _ask_meta(connection)
    if debugged.expires_at is None and connection.stored is not None:
        return replace(debugged, expires_at=connection.stored.expires_at)
    return debugged


def _ask_meta(connection: InstagramConnection) -> DebuggedToken:
    settings = connection.settings
    if settings.login != "facebook" or not (connection.app_id and settings.app_secret):
        return DebuggedToken()
    app_token = f"{connection.app_id}|{settings.app_secret}"
    request = GraphRequest("debug_token", {"input_token": settings.token}, TOKEN)
    try:
        with GraphClient(replace(shorten_timeouts(settings), token=app_token, app_secret=None)) as client:
            answer = next(client.batch([request]))
    except InsightsError as error:
        answer = error
    if isinstance(answer, InsightsError):
        return DebuggedToken(refusal=_REFUSALS.get(answer.facts.code, ""))
    data = read_object(answer.body.get("data"))
    return DebuggedToken() if data is None else _read_data(data)


def _read_data(data: Mapping[str, Any]) -> DebuggedToken:
    scopes = read_list(data.get("scopes"))
    return DebuggedToken(
        kind=read_text(data.get("type")),
        permissions=None if scopes is None else frozenset(filter(None, map(read_text, scopes))),
        expires_at=_read_seconds(data.get("expires_at")),
        data_access_expires_at=_read_seconds(data.get("data_access_expires_at")),
        targets=_read_targets(data.get("granular_scopes")),
    )


def _read_targets(value: Any) -> Mapping[str, frozenset[str] | None] | None:
    """Return the ids by permission. Without ``target_ids``, a permission holds for all that its person has."""
    scopes = read_objects(value)
    if not scopes:
        return None
    found: dict[str, frozenset[str] | None] = {}
    for scope in scopes:
        ids = read_list(scope.get("target_ids"))
        if name := read_text(scope.get("scope")):
            found[name] = None if ids is None else frozenset(filter(None, map(read_id, ids)))
    return found


def _read_seconds(value: Any) -> int | None:
    """Return Unix seconds of a year that has four digits; 0 stands for never."""
    seconds = read_whole_number(value)
    return seconds if seconds is not None and 0 <= seconds < _YEAR_10000 else None
