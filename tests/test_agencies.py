"""Clients of an agency: docs/agencies.md and its Dag do with two clients what they say."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox
from airflow_provider_iginsights.sandbox.graph import World
from benchmarks import price
from tests.support import airflow_versions, truth
from tests.support.bigquery.analyzer import build_analyzer
from tests.support.sandboxes import DAY, END, NOW, START, Row, Sandboxes, facts, open_sandboxes, pacific_days
from tests.test_example_dags import YESTERDAY, load

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "agencies.md").read_text("utf-8")
STATEMENTS = re.findall(r"```sql\n(.*?)\n```", PAGE, re.DOTALL)
DAG = ROOT / "example_dags" / "instagram_clients.py"
INSIGHTS, POSTS = "instagram_account_insights", "instagram_media_insights"


@pytest.fixture
def sandboxes() -> Iterator[Sandboxes]:
    """Serve three accounts."""
    with open_sandboxes(World.build(now=NOW, accounts=3, media_per_account=3, stories_per_account=0)) as opened:
        yield opened


def run_dag(mapping: str, folder: Path) -> Any:
    """Run the Dag with a file of clients, and return the run."""
    path = folder / "clients.csv"
    path.write_text(f"account_id,client\n{mapping}")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTAGRAM_CLIENTS_FILE", str(path))
        return airflow_versions.run_dag(load(DAG), END)


def expected(sandboxes: Sandboxes, account_id: str) -> dict[str, list[Row]]:
    """Return the truth of one account."""
    world, now, account = sandboxes.world, sandboxes.now, sandboxes.world.accounts[account_id]
    posts = [post for post in world.media_of(account_id, now) if START - timedelta(days=28) <= post.timestamp < END]
    days = pacific_days(YESTERDAY - 3 * DAY, YESTERDAY)
    return {
        INSIGHTS: truth.account_rows(world, account, days, now=now),
        POSTS: truth.post_rows(world, posts, now=now),
    }


@pytest.mark.usefixtures("airflow_db")
def test_each_client_has_a_dataset_of_its_own(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Two clients, and an account that the file does not name: each dataset holds its accounts' rows and no others."""
    first, second, third = sandboxes.world.accounts
    assert run_dag(f"{first},acme\n{second},globex\n", tmp_path).state == "success"
    for dataset, account_id in {"acme": first, "globex": second, "agency": third}.items():
        for table_id, rows in expected(sandboxes, account_id).items():
            found = sandboxes.bigquery.rows(f"instagram_{dataset}", table_id)
            assert facts(table_id, found) == facts(table_id, rows), (dataset, table_id)
        assert not [name for name in sandboxes.bigquery.tables(f"instagram_{dataset}") if "__stg_" in name]


@pytest.mark.usefixtures("airflow_db")
def test_an_account_of_two_clients_is_refused(sandboxes: Sandboxes, tmp_path: Path) -> None:
    """Nobody can know whose dataset was meant: nothing is read or written."""
    first, *_ = sandboxes.world.accounts
    assert run_dag(f"{first},acme\n{first},globex\n", tmp_path).state == "failed"
    assert not [call for call in sandboxes.graph.log if "insights" in call.path]


def test_views_show_each_client_its_rows() -> None:
    """The statements as printed: each view holds its client's rows, and a changed mapping counts at once."""
    mapping, acme, globex = STATEMENTS[:3]
    with BigQuerySandbox() as sandbox, sandbox.client() as client:

        def run(sql: str) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in client.query(sql).result()]

        for dataset in ("instagram", "agency", "instagram_acme", "instagram_globex"):
            client.create_dataset(dataset)
        run("CREATE TABLE instagram.instagram_media (account_id STRING, media_id STRING)")
        ids = [f"1784140000000000{number}" for number in (1, 2, 3)]
        run(f"INSERT INTO instagram.instagram_media SELECT id, CONCAT('of ', id) FROM UNNEST({ids}) id")
        run(mapping)
        run(f"INSERT INTO agency.instagram_clients VALUES ('{ids[0]}', 'acme'), ('{ids[1]}', 'globex')")
        run(acme)
        run(globex)

        def seen(name: str) -> list[str]:
            return [row[0] for row in run(f"SELECT account_id FROM instagram_{name}.instagram_media ORDER BY 1")]

        assert (seen("acme"), seen("globex")) == (ids[:1], ids[1:2])
        run(acme.replace("acme", "globex"))  # the other client's, with the mapping
        assert (seen("acme"), seen("globex")) == (ids[:1], ids[1:2])
        run(f"UPDATE agency.instagram_clients SET client = 'globex' WHERE account_id = '{ids[0]}'")
        assert (seen("acme"), seen("globex")) == ([], ids[:2])


@pytest.mark.parametrize("sql", STATEMENTS, ids=lambda sql: " ".join(sql.split()[:6]))
def test_google_analyzer_accepts_every_statement(sql: str) -> None:
    """The grammar and the columns, also of what the sandbox cannot run."""
    tables = {
        "instagram.instagram_media": {"account_id": "STRING", "media_id": "STRING"},
        "agency.instagram_clients": {"account_id": "STRING", "client": "STRING"},
    }
    build_analyzer(tables).analyze_statement(sql)


def test_the_prices_are_those_of_the_arithmetic() -> None:
    """Fifty datasets of a hundred accounts each, and one dataset of all."""
    apart = 50 * price.price(100, hourly=True)[0]
    together, dollars = price.price(5_000, hourly=True)
    more = (apart - price.FREE_TIB) * price.DOLLARS_PER_TIB
    assert f"| US${more:,.2f} ({apart:,.2f} TiB) | US${dollars:,.2f} ({together:,.2f} TiB) |" in PAGE
