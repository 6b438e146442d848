"""What people get wrong, as a table: the mistake, how it is made in the sandboxes, and what they must be told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from airflow_provider_iginsights.errors import (
    AccountUnavailable,
    ConfigurationError,
    DatasetUnavailable,
    IncompatibleTable,
    InsightsError,
    LoadError,
    PermissionMissing,
    ServerTrouble,
    TokenExpired,
)
from airflow_provider_iginsights.sandbox.bigquery import BigQueryFault
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault, Token
from airflow_provider_iginsights.sandbox.graph.objects import FACEBOOK_PERMISSIONS
from tests.support.bigquery.warehouses import find_free_port
from tests.support.sandboxes import DATASET, NOW, Sandboxes

STRANGER = "17841400000000999"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """``prepare`` makes it in the sandboxes, ``arguments`` in the operator; ``words`` all stand in the message.

    ``leaves``: rows that are in BigQuery afterwards, none as a rule.
    """

    error: type[InsightsError]
    words: tuple[str, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)
    prepare: Callable[[Sandboxes], Any] = lambda sandboxes: None
    kind: str = "account"
    retried: bool = False
    calls_meta: bool = True
    leaves: Mapping[str, int] = field(default_factory=dict)


def misconfigured(*words: str, **given: Any) -> Mistake:
    """Return a mistake in the Dag or the connection that is named before Meta is asked."""
    return Mistake(error=ConfigurationError, words=words, calls_meta=False, **given)


def token(**changes: Any) -> Callable[[Sandboxes], None]:
    """Give the connection a token of this kind."""

    def prepare(sandboxes: Sandboxes) -> None:
        sandboxes.world.put(Token("EAAGodd", "user", **changes))
        sandboxes.connect(password="EAAGodd")

    return prepare


def put_incompatible_table(sandboxes: Sandboxes) -> None:
    """Create the insights table by hand, with text where numbers belong, and one row of somebody else's in it."""
    client = sandboxes.bigquery.client()
    client.create_dataset(DATASET)
    client.query(f"CREATE TABLE {DATASET}.instagram_account_insights (account_id STRING, value STRING)").result()
    client.query(f"INSERT INTO {DATASET}.instagram_account_insights (account_id, value) VALUES ('1', 'many')").result()
    client.close()


def deny_dataset(sandboxes: Sandboxes) -> None:
    """Let the dataset exist, and its data be none of the credentials' business."""
    client = sandboxes.bigquery.client()
    client.create_dataset(DATASET)
    client.close()
    sandboxes.bigquery.switches.denied_datasets.add(DATASET)


def throttle(sandboxes: Sandboxes) -> None:
    """Let Meta's rate limit be used up for insights."""
    limit = ErrorEffect(80002, message="(#80002) There have been too many calls to this Instagram account.")
    sandboxes.graph.faults.add(GraphFault(effect=limit, path="insights", times=None))


MISTAKES: Mapping[str, Mistake] = {
    "no token": misconfigured(
        "instagram_default", "no access token", "password", prepare=lambda sandboxes: sandboxes.connect(password="")
    ),
    "token of nobody": Mistake(
        prepare=lambda sandboxes: sandboxes.connect(password="EAAGnobody"),
        error=TokenExpired,
        words=("cannot read it", "fresh token", "code 190"),
    ),
    "expired token": Mistake(
        prepare=token(expires_at=NOW - timedelta(days=1)),
        error=TokenExpired,
        words=("has expired", "fresh token", "subcode 463"),
    ),
    "token without the permission": Mistake(
        prepare=token(permissions=FACEBOOK_PERMISSIONS - {"instagram_manage_insights"}),
        error=PermissionMissing,
        words=("lacks a permission", "Grant it"),
        # The profile needs another permission than the insights, and was read before they were refused.
        leaves={"instagram_accounts": 1},
    ),
    "wrong app secret": Mistake(
        prepare=lambda sandboxes: sandboxes.connect(extra={"app_secret": "not-this-one"}),
        error=ConfigurationError,
        words=("app_secret", "does not belong to the app"),
    ),
    "no accounts visible": Mistake(
        prepare=token(account_ids=()),
        error=ConfigurationError,
        words=("sees no Instagram account", "account_ids", "pages_show_list"),
    ),
    "unknown account": Mistake(
        arguments={"account_ids": [STRANGER]},
        error=AccountUnavailable,
        words=(STRANGER, "Check the id"),
    ),
    "all accounts unknown, to be skipped": Mistake(
        arguments={"account_ids": [STRANGER, "17841400000000998"], "on_account_error": "skip"},
        error=AccountUnavailable,
        words=(STRANGER, "17841400000000998", "2 of 2 accounts failed"),
    ),
    "account id that is none": misconfigured(
        "account_ids", "number 1 of 2", "A username needs its @", arguments={"account_ids": "the brand!"}
    ),
    "no account ids": misconfigured("account_ids is an empty list", arguments={"account_ids": []}),
    "retired metric": misconfigured(
        "retired", "'impressions'", "v25.0", "Ask for views instead", arguments={"metrics": ["reach", "impressions"]}
    ),
    "retired metric of reels": misconfigured(
        "retired", "'plays'", "views", kind="media", arguments={"metrics": ["plays"]}
    ),
    "misspelt metric": misconfigured("'reech'", "Did you mean reach", arguments={"metrics": "reech"}),
    "metric of another operator": misconfigured(
        "'navigation'", "STORY media only", kind="media", arguments={"metrics": ["navigation"]}
    ),
    "no metrics": misconfigured("metrics", "nothing to fetch", arguments={"metrics": []}),
    "wrong breakdown": misconfigured(
        "'likes'",
        "'country'",
        "media_product_type",
        arguments={"metrics": ["likes"], "breakdowns": {"likes": ["country"]}},
    ),
    "breakdown of a metric not asked for": misconfigured(
        "'views'", "not among the metrics", arguments={"metrics": ["likes"], "breakdowns": {"views": ["follow_type"]}}
    ),
    "breakdowns that are no mapping": misconfigured("breakdowns must map", arguments={"breakdowns": "follow_type"}),
    "until before since": misconfigured(
        "until lies before since",
        "2026-11-20",
        "later than since",
        arguments={"since": "2026-11-20", "until": "2026-11-19"},
    ),
    "since and until the same": misconfigured(
        "same instant",
        "CronDataIntervalTimetable",
        arguments={"since": "2026-11-20T00:00:00+00:00", "until": "2026-11-20T00:00:00+00:00"},
    ),
    "unreadable since": misconfigured(
        "since='yesterday'", "ISO 8601", "Unix seconds", arguments={"since": "yesterday"}
    ),
    "since in the future": misconfigured("future", arguments={"since": "2027-01-01", "until": "2027-01-02"}),
    "lookback that is no number": misconfigured("lookback_days", "'three'", arguments={"lookback_days": "three"}),
    "unknown on_account_error": misconfigured(
        "on_account_error", "fail, skip, quarantine", "'ignore'", arguments={"on_account_error": "ignore"}
    ),
    "unknown load_mode": misconfigured("load_mode", "merge, replace, append", arguments={"load_mode": "upsert"}),
    "unknown connection": misconfigured(
        "'instagram_missing'", "AIRFLOW_CONN_INSTAGRAM_MISSING", arguments={"instagram_conn_id": "instagram_missing"}
    ),
    "host of somebody else": misconfigured(
        "instagram_default",
        "not a Graph API host",
        prepare=lambda sandboxes: sandboxes.connect(host="https://graph.facebook.com.example.org"),
    ),
    "version that is none": misconfigured(
        "api_version", prepare=lambda sandboxes: sandboxes.connect(extra={"api_version": "latest"})
    ),
    "unreachable Graph API": Mistake(
        prepare=lambda sandboxes: sandboxes.connect(host=f"http://127.0.0.1:{find_free_port()}"),
        error=ServerTrouble,
        words=("No answer", "network"),
        retried=True,
        calls_meta=False,
    ),
    "missing dataset": Mistake(
        arguments={"create_dataset": False},
        error=DatasetUnavailable,
        words=("sandbox-project.instagram", "does not exist", "create_dataset=True"),
        calls_meta=False,
    ),
    "dataset without permission": Mistake(
        prepare=deny_dataset,
        error=DatasetUnavailable,
        words=("sandbox-project.instagram", "roles/bigquery.dataEditor"),
        calls_meta=False,
    ),
    "jobs without permission": Mistake(
        prepare=lambda sandboxes: sandboxes.bigquery.faults.add(
            BigQueryFault(r"POST /(upload/)?bigquery/v2/projects/[^/]+/jobs", "accessDenied", times=None)
        ),
        error=DatasetUnavailable,
        words=("roles/bigquery",),
        calls_meta=False,
    ),
    "incompatible table": Mistake(
        prepare=put_incompatible_table,
        error=IncompatibleTable,
        words=("sandbox-project.instagram.instagram_account_insights", "value", "STRING"),
        leaves={"instagram_account_insights": 1},
    ),
    "dataset id that is none": misconfigured("insta gram", arguments={"dataset_id": "insta gram"}),
    "unreachable BigQuery": Mistake(
        prepare=lambda sandboxes: sandboxes.bigquery.faults.add(BigQueryFault("", "answerLost", times=None)),
        error=LoadError,
        words=("BigQuery", "given up", "run the task again"),
        retried=True,
        calls_meta=False,
    ),
}
