"""What Airflow stores of the events of a table's asset: what was written, of which days and accounts, by which key."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import pytest

from airflow_provider_iginsights.assets import table_asset
from airflow_provider_iginsights.errors import ConfigurationError
from airflow_provider_iginsights.sandbox.graph import ErrorEffect, GraphFault
from airflow_provider_iginsights.task.asset_events import MOST_BYTES, describe_run
from tests.support.airflow_versions import offers
from tests.support.sandboxes import Sandboxes
from tests.support.transfers.dag_runs import dag_of, open_sandboxes_of_dags, run
from tests.test_example_dags import load

BODY = """
from airflow_provider_iginsights.assets import table_asset
from airflow_provider_iginsights._compat import AssetAlias
assets = [
    table_asset("sandbox-project", "instagram", "instagram_account_insights"),
    table_asset("sandbox-project", "instagram", "by_day", by_day=True),
]
given = dict(metrics="reach", lookback_days=1, profile_table_id=None, retries=0, **TO)
Account(task_id="assets", outlets=assets, on_account_error="skip", **given)
Account(task_id="alias", outlets=[AssetAlias("instagram_tables")], account_ids="{third}", **given)
"""
AFTER_LOAD = Path(__file__).parents[2] / "example_dags" / "instagram_after_load.py"
GONE = ErrorEffect(100, subcode=33, message="Unsupported get request. Object does not exist")


@pytest.fixture
def sandboxes(airflow_db: None) -> Iterator[Sandboxes]:
    """Serve three accounts."""
    with open_sandboxes_of_dags() as opened:
        yield opened


def know_assets(alias: str, *uris: str) -> None:
    """Let Airflow know the assets as if it had read the Dag's file, which ``dag.test`` does not do before 3.1."""
    if offers("3.1"):
        return
    from airflow.utils.session import create_session

    with create_session() as session:
        session.add_all(make_models(alias, uris))


def make_models(alias: str, uris: Sequence[str]) -> list[Any]:
    """Return what Airflow keeps of an alias and of assets that some Dag names."""
    if not offers("3.0"):
        from airflow.models.dataset import DatasetAliasModel, DatasetModel

        return [DatasetAliasModel(name=alias), *(DatasetModel(uri=uri, is_orphaned=False) for uri in uris)]
    from airflow.models.asset import AssetActive, AssetModel

    assets = [AssetModel(name=uri, uri=uri, group="asset") for uri in uris]
    return [*assets, *map(AssetActive.for_asset, assets)]


def read_events(dag_id: str) -> list[Any]:
    """Return the events that the tasks of a Dag left, as Airflow stores them."""
    from airflow.utils.session import create_session
    from sqlalchemy import select

    if offers("3.0"):
        from airflow.models.asset import AssetEvent as Event
    else:
        from airflow.models.dataset import DatasetEvent as Event
    with create_session() as session:
        return [
            (event.source_task_id, event.uri, getattr(event, "partition_key", None), event.extra)
            for event in session.scalars(select(Event).where(Event.source_dag_id == dag_id))
        ]


def test_events_say_what_was_written(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Days, rows, tables, and which account failed, as the example Dag reads it; a key a day where that is wanted."""
    first, second, third = sandboxes.world.accounts
    sandboxes.graph.faults.add(GraphFault(effect=GONE, path=second, times=None))
    table, by_day = (
        f"bigquery://sandbox-project/instagram/{name}" for name in ("instagram_account_insights", "by_day")
    )
    know_assets("instagram_tables", table, by_day)
    with dag_of(tmp_path, "asset_events", BODY.replace("{third}", third)) as dag:
        found = run(dag)
    assert {str(instance.state) for instance in found.values()} == {"success"}
    events = read_events("asset_events")
    key = "2026-11-19" if offers("3.3") else None
    assert sorted((task_id, uri, named) for task_id, uri, named, _ in events) == sorted(
        [("assets", table, None), ("assets", by_day, key), ("alias", table, None)]
    )
    extra = next(extra for task_id, uri, _, extra in events if (task_id, uri) == ("assets", table))
    rows = sum(row["account_id"] in (first, third) for row in sandboxes.rows("instagram_account_insights"))
    assert extra["window"]["days"] == extra["days"] == ["2026-11-19"]
    assert extra["window"]["days_read_again"] == ["2026-11-18"]
    assert extra["rows"] == rows >= extra["rows_changed"] > 0
    assert extra["tables"] == {table.removeprefix("bigquery://").replace("/", "."): rows}
    assert extra["account_counts"] == dict.fromkeys(extra["account_counts"], 0) | {"done": 2, "skipped": 1}
    assert (extra["accounts_done"], list(extra["accounts_skipped"])) == ([first, third], [second])
    assert extra["gaps"] == {}
    report = load(AFTER_LOAD).get_task("report").python_callable
    said = report(triggering_asset_events={table: [SimpleNamespace(extra=extra)]})
    assert said == [f"2026-11-19: {extra['rows_changed']} rows changed, 0 accounts failed."]
    named = next(extra for task_id, _, _, extra in events if task_id == "alias")
    assert (named["days"] if offers("3.1") else json.loads(named["days"])) == ["2026-11-19"]


def test_the_address_is_that_of_the_google_provider() -> None:
    """``bigquery://project/dataset/table``: a project, and a path of exactly two names, as its sanitizer demands."""
    asset = table_asset("my-project", "social_media", "instagram_accounts")
    parts = urlsplit(asset.uri)
    assert (parts.scheme, parts.netloc, parts.path.split("/")) == (
        "bigquery",
        "my-project",
        ["", "social_media", "instagram_accounts"],
    )
    assert not asset.extra
    assert table_asset("my-project", "social_media", "instagram_accounts", by_day=True).uri == asset.uri


@pytest.mark.parametrize("parts", [("", "d", "t"), ("p", "d/e", "t"), ("my-project", "d", "t`")])
def test_what_is_no_table_is_refused(parts: tuple[str, str, str]) -> None:
    """A name with which the address would mean something else."""
    with pytest.raises(ConfigurationError):
        table_asset(*parts)


def test_the_extra_stays_small() -> None:
    """Many failed accounts are counted, and the first are named."""
    failed = {str(number): "Why. " * 100 for number in range(100)}
    summary = {"window": {"days": ["2026-11-19"]}, "account_counts": {"failed": 5000}, "accounts_failed": failed}
    extra = describe_run(summary)
    assert len(str(extra)) < MOST_BYTES
    assert extra["account_counts"] == {"failed": 5000}
    assert "0" in extra["accounts_failed"]
