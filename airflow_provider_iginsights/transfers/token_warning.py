"""Warns, in the log and the notes of a run, of a token that ends soon."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_iginsights._compat import Context
    from airflow_provider_iginsights.graph.client import GraphClient
    from airflow_provider_iginsights.hooks.connection import InstagramConnection


def warn_of_token_end(client: GraphClient, connection: InstagramConnection, context: Context) -> None:
    """Note where the token, or its access to the data, ends within 14 days. Of mapped tasks only the first asks."""
    from airflow_provider_iginsights.hooks.debug_token import debug_token
    from airflow_provider_iginsights.hooks.token_end import WARNING, describe_end

    if (getattr(context["ti"], "map_index", -1) or 0) > 0:
        return
    end, now = debug_token(connection).end, datetime.now(UTC)
    if end.is_within(WARNING, now=now):
        client.note(f"The token of connection {connection.conn_id!r} ends soon. {describe_end(end, now=now)}")
