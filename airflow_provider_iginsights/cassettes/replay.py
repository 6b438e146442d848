"""Runs a Graph API that answers from a cassette, beside an empty local BigQuery."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from airflow_provider_iginsights.cassettes.files import Cassette, read_cassette
from airflow_provider_iginsights.cassettes.player import CassettePlayer
from airflow_provider_iginsights.cassettes.server import INSTAGRAM_PATH, CassetteApplication
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from airflow_provider_iginsights.sandbox.server import Server

_DISCOVERIES = ("me/accounts", "me/businesses", "me")
_TOKEN_EXCHANGE = "oauth/access_token"  # noqa: S105 - a path


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A cassette that is being played.

    :ivar recorded_at: when the run was recorded (aware UTC); BigQuery's clock began there.
    :ivar environment: variables for an Airflow that is to ask the cassette, and to write to the local BigQuery.
    :ivar account_ids: the accounts that the run asked for, under their pseudonyms.
    :ivar missing: the requests so far that the cassette has no answer to; it grows.
    """

    recorded_at: datetime
    environment: Mapping[str, str]
    account_ids: Sequence[str]
    missing: Sequence[str]
    bigquery: BigQuerySandbox

    def rows(self, dataset: str, table_id: str) -> list[dict[str, Any]]:
        """Return the rows of a table of the local BigQuery."""
        return self.bigquery.rows(dataset, table_id)


@contextmanager
def run_replay(
    directory: Path, *, conn_id: str = "instagram_default", port: int = 0, bigquery_port: int = 0
) -> Iterator[Replay]:
    """Run both servers until the end of the statement.

    :param conn_id: the Instagram connection that ``environment`` defines.
    :param port: of the Graph API; 0 = a free one. Likewise ``bigquery_port``.
    :raises ConfigurationError: the folder holds no whole cassette.
    :raises OSError: a port is taken.
    """
    cassette = read_cassette(directory)
    player = CassettePlayer(cassette)
    clock = Clock(cassette.recorded_at, ticks=True)
    with (
        Server(CassetteApplication(player), port=port, name="cassette") as server,
        BigQuerySandbox(clock=clock, port=bigquery_port) as bigquery,
    ):
        account_ids = _list_accounts(cassette)
        yield Replay(
            recorded_at=cassette.recorded_at,
            environment={
                f"AIRFLOW_CONN_{conn_id.upper()}": json.dumps(_make_connection(cassette, server.url, account_ids)),
                "BIGQUERY_EMULATOR_HOST": bigquery.url,
                "GOOGLE_CLOUD_PROJECT": bigquery.project,
            },
            account_ids=account_ids,
            missing=player.missing,
            bigquery=bigquery,
        )


def _make_connection(cassette: Cassette, url: str, account_ids: Sequence[str]) -> dict[str, Any]:
    first = cassette.exchanges[0]
    paths = {request.path for exchange in cassette.exchanges for request in exchange.requests}
    extra: dict[str, Any] = {"api_version": first.version}
    # A run that was given its accounts did not look for them, so the answer to that is not in the cassette.
    if not paths & set(_DISCOVERIES):
        extra["account_ids"] = ",".join(account_ids)
    if _TOKEN_EXCHANGE in paths:
        extra |= {"app_id": "1000000000000000", "app_secret": "no-secret-is-needed"}
    host = f"{url}/{INSTAGRAM_PATH}" if first.requests[0].login == "instagram" else url
    return {"conn_type": "instagram", "host": host, "password": "no-token-is-needed", "extra": extra}


def _list_accounts(cassette: Cassette) -> list[str]:
    """Return the ids that the run asked for as accounts: those with an edge that posts do not have."""
    found = (
        request.path.partition("/")
        for exchange in cassette.exchanges
        for request in exchange.requests
        if dict(request.params).get("period") or request.path.endswith(("/media", "/stories"))
    )
    return list(dict.fromkeys(node for node, _, _ in found if node.isdecimal()))
