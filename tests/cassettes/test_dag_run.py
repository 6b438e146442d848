"""``airflow dags test`` is recorded and replayed as users do it: by processes of Airflow."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from airflow_provider_iginsights.cli.main import main
from airflow_provider_iginsights.sandbox.graph import World
from airflow_provider_iginsights.testing import replay_cassette
from tests.support.cassettes import find_pseudonyms
from tests.support.sandboxes import DATASET, NOW, Row, open_sandboxes

DAG = """
from datetime import UTC, datetime

from airflow_provider_iginsights._compat import DAG
from airflow_provider_iginsights.transfers.instagram_to_bigquery import InstagramStoryInsightsToBigQueryOperator

with DAG("recorded", schedule=None, start_date=datetime(2026, 11, 1, tzinfo=UTC)):
    InstagramStoryInsightsToBigQueryOperator(
        task_id="stories", dataset_id="instagram", gcp_conn_id=None, create_dataset=True,
        runs_table_id=None, left_out_table_id=None,
    )
"""
COMMAND = (sys.executable, "-m", "airflow", "dags", "test", "recorded", "2026-11-21")


@pytest.fixture
def airflow_home(airflow_db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make the home of an Airflow with one Dag, and a database of its own."""
    dags, database = tmp_path / "dags", tmp_path / "airflow.db"
    dags.mkdir()
    (dags / "recorded.py").write_text(DAG)
    shared = os.environ["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(shared)) as before, closing(sqlite3.connect(database)) as copied:
        before.backup(copied)
    settings = {
        "AIRFLOW_HOME": str(tmp_path),
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{database}",
    }
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    # As the interpreter ends, Airflow's threads still run, and a tracer in them crashes: make coverage leaves it out.
    monkeypatch.delenv("COVERAGE_PROCESS_CONFIG", raising=False)
    return tmp_path


def test_a_dag_is_recorded_and_replayed(airflow_home: Path) -> None:
    """The replay asks the cassette alone, and writes the same rows under pseudonyms: those of each table."""
    directory = airflow_home / "cassette"
    with open_sandboxes(World.build(now=NOW, accounts=1, media_per_account=4, stories_per_account=1)) as sandboxes:
        assert main(["record", str(directory), "--", *COMMAND]) == 0
        before = list_rows(sandboxes.everything())
        sandboxes.graph.clear_log()
        with replay_cassette(directory) as played:
            subprocess.run(COMMAND, check=True, env=os.environ, capture_output=True)
            tables = dict.fromkeys(table for table, _ in before)
            after = list_rows({table: played.rows(DATASET, table) for table in tables})
        assert sandboxes.graph.log == ()
    assert len({table for table, _ in before}) == 3
    assert find_pseudonyms(before, after)
    assert not {row["account_id"] for _, row in before} & {row["account_id"] for _, row in after}


def list_rows(tables: dict[str, list[Row]]) -> list[tuple[str, Row]]:
    """Return the rows of all tables, in the order of what stays in them."""
    kept = ("metric", "breakdown", "breakdown_value", "source", "published_at", "value")
    return [
        (table, row)
        for table, rows in tables.items()
        for row in sorted(rows, key=lambda row: [str(row.get(name)) for name in kept])
    ]
