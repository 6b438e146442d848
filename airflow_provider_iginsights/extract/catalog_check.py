"""Compares the catalog with the metrics that the live Graph API accepts: it lists them when a metric is unknown."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from airflow_provider_iginsights.catalog.comparison import Differences, compare, read_accepted
from airflow_provider_iginsights.errors import MetricRefused
from airflow_provider_iginsights.graph.messages import GraphRequest, Subject
from airflow_provider_iginsights.json_values import read_id, read_objects

if TYPE_CHECKING:
    from airflow_provider_iginsights.catalog.metrics import Level
    from airflow_provider_iginsights.graph.client import GraphClient

_NO_METRIC = "no_such_metric"


def check_catalog(client: GraphClient, account_id: str) -> Iterator[Differences]:
    """Yield the differences for account metrics and, if there is media, for media metrics. Sends 2 or 3 requests.

    :raises InsightsError: the token or the account is refused, or the refusal does not list the accepted metrics.
    """
    yield _check(client, "account", Subject("account", account_id), account_id)
    listing = GraphRequest(f"{account_id}/media", {"fields": "id"}, Subject("account", account_id))
    newest = next(client.pages(listing, account_id=account_id, limit=1))
    for media in read_objects(newest.body.get("data")) or ():
        if (media_id := read_id(media.get("id"))) is not None:
            yield _check(client, "media", Subject("media", media_id), account_id)


def _check(client: GraphClient, level: Level, subject: Subject, account_id: str) -> Differences:
    settings = client.settings
    request = GraphRequest(f"{subject.id}/insights", {"metric": _NO_METRIC, "period": "day"}, subject)
    # META-16: the refusal of an unknown name lists all names that Meta accepts.
    try:
        client.get(request, account_id=account_id)
    except MetricRefused as refusal:
        accepted = read_accepted(refusal.facts.said)
        if not accepted:
            raise
        return compare(level, accepted, version=settings.api_version, login=settings.login)
    raise MetricRefused(f"Meta answered {subject} for a metric that does not exist, so it listed none that do.")
