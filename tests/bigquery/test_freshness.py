"""What is missing in the tables is found: days, accounts and metrics, as a plain reading of the rows has them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

from airflow_provider_iginsights.bigquery.freshness import make_freshness_view, read_freshness
from airflow_provider_iginsights.catalog.freshness import CHECKED_TABLES, freshness_query
from airflow_provider_iginsights.catalog.run_tables import ALL_TABLES
from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.errors import RowsMissing
from airflow_provider_iginsights.operators.tables import InstagramTablesCompleteOperator
from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.clock import Clock
from tests.support.bigquery import rows
from tests.support.bigquery.analyzer import build_analyzer
from tests.support.bigquery.freshness_rows import TABLES, check_drawn, fill
from tests.support.sandboxes import RecordingTaskInstance

NOW = datetime(2026, 11, 21, 20, 0, 10, tzinfo=UTC)
TODAY = date(2026, 11, 21)
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a BigQuery at a fixed time."""
    patching = pytest.MonkeyPatch.context()
    with time_machine.travel(NOW, tick=False), BigQuerySandbox(clock=Clock(NOW)) as opened, patching as patch:
        patch.setenv("BIGQUERY_EMULATOR_HOST", opened.url)
        patch.setenv("GOOGLE_CLOUD_PROJECT", opened.project)
        yield opened


@pytest.mark.parametrize("seed", range(2))
def test_what_is_missing(sandbox: BigQuerySandbox, seed: int) -> None:
    """Of any rows, the query and the view find what a plain reading finds."""
    client = sandbox.client()
    check_drawn(client, f"drawn_{seed}", seed=seed, today=TODAY)
    client.close()


def test_the_view_and_the_command(sandbox: BigQuerySandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """``--complete`` says what the view that ``--views`` makes says, and ends with 1 where a day is missing."""
    days = [TODAY - ago * DAY for ago in range(1, 10)]
    whole = {("1", "", "", day): day for day in days}
    holey = {seen: day for seen, day in whole.items() if day != days[3]}
    words = ["tables", "--project", sandbox.project, "--skip-missing", "--dataset"]
    client = sandbox.client()
    for dataset, held, code in (("whole", whole, 0), ("holey", holey, 1)):
        fill(client, dataset, {"accounts": held})
        assert main([*words, dataset, "--views"]) == 0
        assert f"{dataset}.instagram_freshness: created" in capsys.readouterr().out
        assert main([*words, dataset, "--views"]) == 0
        assert f"{dataset}.instagram_freshness: left as it is" in capsys.readouterr().out
        assert main([*words, dataset, "--complete", "--json"]) == code
        [said] = json.loads(capsys.readouterr().out)
        [row] = client.query(f"SELECT * FROM {dataset}.instagram_freshness").result()
        assert (row["missing"] or "").split(", ") == (said["missing"] or [""])
        assert row["missing_days"] == len(said["missing"]) == code
    assert main([*words, "holey", "--complete"]) == 1
    assert capsys.readouterr().out == f"account 1, instagram_accounts: 1 days are missing: {days[3]}.\n"
    assert main([*words, "holey", "--complete", "--days", "3"]) == 0
    fill(client, "empty", {"accounts": {}})
    client.close()
    assert main([*words, "empty", "--complete"]) == 1
    assert "No account" in capsys.readouterr().out

    instance = RecordingTaskInstance()
    options: dict[str, Any] = {"task_id": "check", "gcp_conn_id": None}
    with pytest.raises(RowsMissing, match=f"account 1, instagram_accounts: 1 days are missing: {days[3]}"):
        InstagramTablesCompleteOperator(dataset_id="holey", **options).execute({"ti": instance})
    assert [each["missing"] for each in instance.pushed["missing"]] == [[str(days[3])]]
    [found] = InstagramTablesCompleteOperator(dataset_id="whole", days="9", **options).execute({"ti": instance})
    assert found["missing"] == []
    with pytest.raises(RowsMissing, match="No account has a row"):
        InstagramTablesCompleteOperator(dataset_id="empty", **options).execute({"ti": instance})


def test_the_name_of_the_view_is_taken(sandbox: BigQuerySandbox, capsys: pytest.CaptureFixture[str]) -> None:
    """A view that somebody changed is made anew; a table of its name, and a view that is none of ours, stay."""
    words = ["tables", "--project", sandbox.project, "--skip-missing", "--views", "--dataset", "taken"]
    client = sandbox.client()
    fill(client, "taken", {"accounts": {("1", "", "", TODAY - DAY): TODAY - DAY}})
    assert main(words) == 0
    view = client.get_table("taken.instagram_freshness")
    made = view.view_query
    view.view_query = "SELECT 1 AS one"
    client.update_table(view, ["view_query"])
    capsys.readouterr()
    assert main(words) == 0
    assert "taken.instagram_freshness: updated" in capsys.readouterr().out
    assert client.get_table("taken.instagram_freshness").view_query == made
    client.delete_table("taken.instagram_freshness")
    client.query_and_wait("CREATE TABLE taken.instagram_freshness AS SELECT 7 AS kept")
    assert main(words) != 0
    assert "taken.instagram_freshness is no view" in capsys.readouterr().err
    assert [row.kept for row in client.list_rows("taken.instagram_freshness")] == [7]
    client.delete_table("taken.instagram_freshness")
    client.query_and_wait("CREATE VIEW taken.instagram_freshness AS SELECT 8 AS mine")
    assert main(words) != 0
    assert "taken.instagram_freshness is a view that somebody else made" in capsys.readouterr().err
    assert client.get_table("taken.instagram_freshness").view_query == "SELECT 8 AS mine"
    client.close()


def test_tables_that_have_no_days(sandbox: BigQuerySandbox) -> None:
    """Of tables about the runs nothing can be missing, and there is no view of them."""
    client = sandbox.client()
    targets = [rows.target(table) for table in ALL_TABLES if table.name not in CHECKED_TABLES]
    assert read_freshness(client, targets=targets) == []
    assert make_freshness_view(client, targets=targets).done == "impossible"
    client.close()


@pytest.mark.parametrize("table_ids", [{"account_insights": "numbers"}, '{"account_insights": "numbers"}'], ids=type)
def test_a_metric_that_is_no_longer_answered(
    sandbox: BigQuerySandbox, monkeypatch: pytest.MonkeyPatch, table_ids: Any
) -> None:
    """The task succeeds, says it in its log, and looks at the table that the argument names."""
    client = sandbox.client()
    days = [TODAY - ago * DAY for ago in range(1, 31)]
    held = {("1", metric, "", day): day for day in days for metric in ("reach", "views")}
    held = {seen: day for seen, day in held.items() if seen[1] == "reach" or day < days[14]}
    fill(client, "stopped", {"account_insights": held})
    client.delete_table("stopped.numbers", not_found_ok=True)
    client.copy_table("stopped.instagram_account_insights", "stopped.numbers").result()
    client.close()
    said: list[str] = []
    log = SimpleNamespace(warning=lambda form, *values: said.append(form % values))
    monkeypatch.setattr(InstagramTablesCompleteOperator, "log", log)
    check = InstagramTablesCompleteOperator(
        task_id="check", gcp_conn_id=None, dataset_id="stopped", table_ids=table_ids
    )
    [found] = check.execute({"ti": RecordingTaskInstance()})
    assert (found["table_id"], found["missing"], found["stopped"]) == ("numbers", [], [f"views after {days[15]}"])
    assert said == [f"account 1, numbers: no longer answered: views after {days[15]}."]


def test_bigquery_takes_the_query() -> None:
    """The analyzer accepts it, and each table is read by a range of its partitions alone."""
    sql = freshness_query([(name, table.default_id, f"`p-1.d.{table.default_id}`") for name, table in TABLES.items()])
    tables = {rows.target(table).path: {each.name: each.type for each in table.columns} for table in TABLES.values()}
    build_analyzer(tables).analyze_statement(sql)
    for table in TABLES.values():
        assert f"WHERE `{table.partition_by}` >= DATE_SUB(CURRENT_DATE('America/Los_Angeles'), INTERVAL 56 DAY)" in sql
