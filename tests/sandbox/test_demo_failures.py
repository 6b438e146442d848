"""A demo that fails: what it says where Airflow, a Dag or the comparison does not do what it should."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.demo import run
from airflow_provider_iginsights.sandbox.demo.comparison import TABLES, count_rows, read_rows
from airflow_provider_iginsights.sandbox.demo.folder import DemoFailed
from airflow_provider_iginsights.sandbox.demo.progress import StepPrinter
from airflow_provider_iginsights.sandbox.demo.queries import show_numbers
from airflow_provider_iginsights.sandbox.demo.run import Demo, run_demo
from airflow_provider_iginsights.sandbox.demo.text_table import BLOCKS
from airflow_provider_iginsights.sandbox.environment import SandboxSettings
from airflow_provider_iginsights.sandbox.graph import GraphSandbox, World

NOW = datetime(2026, 11, 21, 20, tzinfo=UTC)
INSERT = "INSERT INTO {}.instagram_media (media_id, run_id) VALUES ('{}', '{}')"


@dataclass
class ActedAirflow:
    """Stands in for a process with an Airflow: a command is what ``act`` does with the dataset."""

    act: Callable[[str], None]
    ended: bool = True
    ran: list[str] = field(default_factory=list)

    def begin(self, *arguments: str, environment: dict[str, str] | None = None) -> None:
        """Act at once."""
        self.ran.append(arguments[0])
        self.act((environment or {}).get("INSTAGRAM_DATASET", "instagram"))

    run = begin

    def has_ended(self, *, within: float) -> bool:
        """Tell what the test says."""
        return self.ended

    def wait(self) -> int:
        """Have ended well."""
        return 0

    def kill(self) -> int:
        """Be killed."""
        return -9


@pytest.fixture
def bigquery() -> Iterator[BigQuerySandbox]:
    """Run a BigQuery with an empty table of posts in each of the demo's datasets."""
    with BigQuerySandbox() as running, running.client() as client:
        for dataset in ("instagram", "instagram_again"):
            client.create_dataset(dataset)
            client.query_and_wait(f"CREATE TABLE {dataset}.instagram_media (media_id STRING, run_id STRING)")
        yield running


@pytest.fixture
def demo(bigquery: BigQuerySandbox) -> Iterator[Callable[..., Demo]]:
    """Return what makes a demo of one or two acts."""
    with GraphSandbox(World.build(now=NOW)) as graph:

        def make(first: ActedAirflow, second: ActedAirflow | None = None) -> Demo:
            processes: Any = (first, second or first)
            return Demo(graph, bigquery, *processes, StepPrinter(lambda _: None), BLOCKS)

        yield make


def write(bigquery: BigQuerySandbox, *, media: str, run_id: str = "r") -> Callable[[str], None]:
    """Return an act that writes a post."""

    def act(dataset: str) -> None:
        with bigquery.client() as client:
            client.query_and_wait(INSERT.format(dataset, media, run_id))

    return act


def test_a_day_that_changes_when_it_runs_again(bigquery: BigQuerySandbox, demo: Callable[..., Demo]) -> None:
    """Each row that came counts, and it is called a defect; a run that writes nothing passes."""
    demo(ActedAirflow(lambda _: None)).repeat(NOW)
    with pytest.raises(DemoFailed, match=r"The same day again changed 1 rows\. That is a defect of this package"):
        demo(ActedAirflow(write(bigquery, media="1"))).repeat(NOW)


@pytest.mark.parametrize(("media", "differ"), [("1", False), ("2", True)])
def test_a_load_after_a_kill_is_compared(
    bigquery: BigQuerySandbox,
    demo: Callable[..., Demo],
    monkeypatch: pytest.MonkeyPatch,
    media: str,
    differ: bool,
) -> None:
    """Another post is a difference; another run that wrote the same post is none."""
    monkeypatch.setattr(Demo, "_await_load", lambda _: None)
    write(bigquery, media="1", run_id="first")("instagram")
    made = demo(ActedAirflow(lambda _: None), ActedAirflow(write(bigquery, media=media, run_id="second")))
    if not differ:
        return made.kill(NOW)
    with pytest.raises(DemoFailed, match=r"1 rows differ from those of a load that nobody killed\."):
        made.kill(NOW)
    return None


@pytest.mark.parametrize(
    ("ended", "said"),
    [(True, "The Dag ended before its second task"), (False, "second task loaded no numbers within 0 seconds")],
)
def test_a_load_that_does_not_come(
    demo: Callable[..., Demo], monkeypatch: pytest.MonkeyPatch, ended: bool, said: str
) -> None:
    """A Dag that ends without its load, or goes on for too long without one, is not waited for."""
    monkeypatch.setattr(run, "_LONGEST", 0.0)
    with pytest.raises(DemoFailed, match=said):
        demo(ActedAirflow(lambda _: None, ended=ended)).kill(NOW)


def test_tables_that_are_missing_have_no_rows(bigquery: BigQuerySandbox) -> None:
    """What a killed load did not come to is none, not an error."""
    write(bigquery, media="1")("instagram")
    found = read_rows(bigquery, "instagram", leave_out=["run_id"])
    assert (list(found), count_rows(found)) == (list(TABLES), 1)
    assert list(found["instagram_media"]) == [(("media_id", "1"),)]
    assert count_rows(read_rows(bigquery, "nowhere")) == 0


def test_a_day_without_stories(bigquery: BigQuerySandbox) -> None:
    """Where nothing was read, the headings stand alone, and there is no curve."""
    with bigquery.client() as client:
        for table, columns in {
            "accounts": "account_id STRING, username STRING",
            "account_daily": "account_id STRING, metric_date DATE, reach INT64, views INT64, likes INT64,"
            " comments INT64, shares INT64, saves INT64",
            "posts": "published_date DATE, username STRING, reach INT64, views INT64, likes INT64, saved INT64,"
            " media_product_type STRING",
            "audience": "account_id STRING, metric STRING, breakdown STRING, breakdown_value STRING, value INT64",
            "story_insights": "account_id STRING, media_id STRING, metric STRING, breakdown STRING, value INT64,"
            " fetched_at TIMESTAMP, published_at TIMESTAMP",
        }.items():
            client.query_and_wait(f"CREATE TABLE instagram.instagram_{table} ({columns})")
    shown = list(show_numbers(bigquery, day=date(2026, 11, 20), blocks=BLOCKS))
    assert shown == ["Yesterday, 2026-11-20", "", "Reels of most reach", "", "Followers by age", ""]


def test_a_command_of_airflow_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named with its exit code and with the log that has its words; the caller's proxies are as they were."""
    (tmp_path / "airflow.py").write_text(
        "import sys\nsys.exit('no database' if 'migrate' in sys.argv else 0)\n", "utf-8"
    )
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("NO_PROXY", "example.com")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    printed: list[str] = []
    with pytest.raises(DemoFailed, match=r"^`airflow db migrate` failed with exit code 1\. Airflow's log: ") as failed:
        run_demo(SandboxSettings(), dag_files=[Path(__file__)], write=printed.append, blocks=BLOCKS)
    assert "no database" in Path(str(failed.value).rpartition(": ")[2]).read_text("utf-8")
    assert "".join(printed).endswith("Create Airflow's database \n")
    assert os.environ["NO_PROXY"] == "example.com"
    assert "no_proxy" not in os.environ
