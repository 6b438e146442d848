"""Queries and definitions in the local BigQuery: the SQL a loader and its analysts write, and what is refused."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, Conflict, GoogleAPICallError, NotFound
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox, dialect

CREATE = """CREATE TABLE IF NOT EXISTS `sandbox-project.d.t` (
  account STRING NOT NULL OPTIONS(description='whose'), metric STRING NOT NULL, day DATE NOT NULL, v NUMERIC, n INT64,
  f FLOAT64, at TIMESTAMP, PRIMARY KEY (account, metric, day) NOT ENFORCED)
PARTITION BY day CLUSTER BY account, metric OPTIONS(description='numbers', labels=[('team', 'a')])"""
INSERT = """INSERT INTO d.t (account, metric, day, v, n, f, at) VALUES
  ('a', 'reach', '2026-10-01', 1.5, 2, 2.5, '2026-10-01T07:00:00Z'),
  ('a', 'reach', '2026-10-02', 3, NULL, NULL, NULL),
  ('a', 'views', '2026-10-01', 10, 4, 0.5, NULL)"""


@pytest.fixture(scope="module")
def client() -> Iterator[bigquery.Client]:
    """Run a BigQuery with a table of three rows."""
    with BigQuerySandbox() as running:
        client = running.client()
        client.create_dataset("d")
        client.query_and_wait(CREATE)
        client.query_and_wait(INSERT)
        yield client


def answer(client: bigquery.Client, sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    """Run a query and return its rows."""
    config = bigquery.QueryJobConfig(query_parameters=list(parameters))
    return [tuple(row) for row in client.query(sql, job_config=config).result()]


ANSWERS: list[tuple[str, list[tuple[Any, ...]]]] = [
    ("SELECT COUNT(*), MAX(day), SUM(n) FROM d.t", [(3, dt.date(2026, 10, 2), 6)]),
    ("SELECT t.v FROM `sandbox-project.d.t` WHERE t.metric = 'views'", [(Decimal(10),)]),
    ("SELECT v / n, SAFE_DIVIDE(v, 0), n / 4, AVG(v) FROM d.t WHERE n = 2 GROUP BY v, n",
     [(Decimal("0.75"), None, 0.5, Decimal("1.5"))]),
    ("SELECT NUMERIC '1' / 3, 1 / 3", [(Decimal("0.333333333"), 1 / 3)]),
    ("SELECT CAST(v AS STRING), CAST(f AS STRING), CAST(f AS INT64), CAST(1.0 AS STRING) FROM d.t WHERE n = 2",
     [("1.5", "2.5", 3, "1")]),
    ("SELECT metric, day FROM d.t WHERE TRUE QUALIFY ROW_NUMBER() OVER (PARTITION BY metric ORDER BY day DESC) = 1 "
     "ORDER BY metric", [("reach", dt.date(2026, 10, 2)), ("views", dt.date(2026, 10, 1))]),
    ("SELECT LAG(v) OVER (PARTITION BY metric ORDER BY day) FROM d.t ORDER BY metric, day",
     [(None,), (Decimal("1.5"),), (None,)]),
    ("SELECT * FROM (SELECT account, metric, v FROM d.t) PIVOT (SUM(v) FOR metric IN ('reach' AS reach, 'views'))",
     [("a", Decimal("4.5"), Decimal(10))]),
    ("SELECT account, MAX(IF(metric = 'views', v, NULL)) FROM d.t GROUP BY 1", [("a", Decimal(10))]),
    ("SELECT n IS DISTINCT FROM 2 FROM d.t ORDER BY n", [(True,), (False,), (True,)]),
    ("SELECT x FROM UNNEST(['b', 'a']) AS x WITH OFFSET o ORDER BY o DESC", [("a",), ("b",)]),
    ("SELECT COUNT(*) FROM d.t WHERE day BETWEEN DATE '2026-10-02' AND '2026-10-31'", [(1,)]),
    ("SELECT at FROM d.t WHERE at = TIMESTAMP '2026-10-01 00:00:00-07:00'",
     [(dt.datetime(2026, 10, 1, 7, tzinfo=dt.UTC),)]),
    ("SELECT DATE(at, 'America/Los_Angeles'), DATE_ADD(day, INTERVAL 1 MONTH), DATE_TRUNC(day, MONTH) "
     "FROM d.t WHERE n = 2", [(dt.date(2026, 10, 1), dt.date(2026, 11, 1), dt.date(2026, 10, 1))]),
    ("SELECT DATE_DIFF(DATE '2026-10-03', day, DAY) FROM d.t WHERE n = 2", [(2,)]),
    # 2026-10-01 is a Thursday.
    ("SELECT DATE_TRUNC(day, ISOWEEK), DATE_TRUNC(day, WEEK), DATE_TRUNC(day, WEEK(MONDAY)), "
     "DATE_TRUNC(day, WEEK(FRIDAY)), DATE_TRUNC(day, WEEK(THURSDAY)) FROM d.t WHERE n = 2",
     [(*(dt.date(2026, 9, day) for day in (28, 27, 28, 25)), dt.date(2026, 10, 1))]),
    ("WITH c AS (SELECT metric, SUM(v) AS v FROM d.t GROUP BY metric) SELECT c.v FROM c JOIN d.t USING (metric) "
     "WHERE c.metric = 'views'", [(Decimal(10),)]),
    ("SELECT * EXCEPT (x) FROM (SELECT 1 AS x, 2 AS y) UNION ALL SELECT 3 ORDER BY y", [(2,), (3,)]),
    ("SELECT table_name, table_type FROM d.INFORMATION_SCHEMA.TABLES WHERE table_name = 't'", [("t", "BASE TABLE")]),
    ("SELECT column_name, data_type FROM `sandbox-project.d.INFORMATION_SCHEMA.COLUMNS` WHERE is_nullable = 'NO' "
     "ORDER BY ordinal_position", [("account", "STRING"), ("metric", "STRING"), ("day", "DATE")]),
    ("SELECT description FROM d.INFORMATION_SCHEMA.COLUMN_FIELD_PATHS WHERE column_name = 'account'", [("whose",)]),
    ("SELECT 9007199254740993, 'it\\'s' || '\\n', TRUE, NULL", [(9007199254740993, "it's\n", True, None)]),
]  # fmt: skip


@pytest.mark.parametrize(("sql", "rows"), ANSWERS, ids=[sql for sql, _ in ANSWERS])
def test_queries_answer_as_bigquery_does(client: bigquery.Client, sql: str, rows: list[tuple[Any, ...]]) -> None:
    """Each query gives the rows, and the Python types, that BigQuery gives."""
    found = answer(client, sql)
    assert found == rows
    assert [[type(value) for value in row] for row in found] == [[type(value) for value in row] for row in rows]


def test_unnamed_columns_are_called_f0_and_so_on(client: bigquery.Client) -> None:
    """Columns without a name count from f0_, whatever stands between them."""
    result = client.query_and_wait("SELECT COUNT(*), 1 AS one, 'x' FROM d.t")
    assert [field.name for field in result.schema] == ["f0_", "one", "f1_"]


def test_parameters_are_typed_literals(client: bigquery.Client) -> None:
    """Named, positional, array and NULL parameters take part with their type."""
    named = bigquery.ScalarQueryParameter("v", "NUMERIC", Decimal("1.5"))
    metrics = bigquery.ArrayQueryParameter("m", "STRING", ["reach", "views"])
    assert answer(client, "SELECT n FROM d.t WHERE v = @v AND metric IN UNNEST(@m)", named, metrics) == [(2,)]
    moment = dt.datetime(2026, 10, 1, 7, tzinfo=dt.UTC)
    positional = [
        bigquery.ScalarQueryParameter(None, "TIMESTAMP", moment),
        bigquery.ScalarQueryParameter(None, "DATE", None),
    ]
    assert answer(client, "SELECT ?, ?", *positional) == [(moment, None)]
    with pytest.raises(BadRequest, match="Query parameter 'v' not found"):
        answer(client, "SELECT @v")
    with pytest.raises(BadRequest, match=r"Query parameter '\?' not found"):
        answer(client, "SELECT ?, ?, ?", *positional)
    with pytest.raises(BadRequest, match="parameter of the type BYTES is not supported"):
        answer(client, "SELECT @v", bigquery.ScalarQueryParameter("v", "BYTES", b"x"))


REFUSED: list[tuple[str, str]] = [
    ("SELEC 1", "Syntax error"),
    ("SELECT nope FROM d.t", "Unrecognized name: nope"),
    ("SELECT * FROM d.missing", "Not found: Table sandbox-project:d.missing"),
    ("SELECT * FROM missing.t", "Not found: Dataset sandbox-project:missing"),
    ("SELECT * FROM t", "must be qualified with a dataset"),
    ("SELECT 1 AS a, 2 AS a", "Duplicate column names"),
    ("SELECT 1 / 0", "division by zero"),
    ("SELECT 9223372036854775807 + 1", "Overflow"),
    ("SELECT account FROM d.t WHERE account = 5", "No matching signature for operator = .* STRING, INT64"),
    ("SELECT 1 FROM d.t JOIN d.t AS u ON t.n = u.account", "No matching signature for operator = .* INT64, STRING"),
    ("SELECT 1 FROM d.t WHERE day > at", "No matching signature for operator > .* DATE, TIMESTAMP"),
    ("", "Required parameter is missing: query"),
    ("-- nothing", "An empty query is not supported by this sandbox"),
    ("SELECT FARM_FINGERPRINT('a')", "not supported by this sandbox"),
    ("EXPLAIN SELECT 1", "The statement EXPLAIN is not supported by this sandbox"),
    ("ALTER TABLE d.t DROP PRIMARY KEY, NONSENSE", "Syntax error"),
    ("SELECT * FROM d.t TABLESAMPLE SYSTEM (10 PERCENT)", "not supported by this sandbox"),
    ("DELETE t WHERE TRUE", "must be qualified with a dataset"),
    ("SELECT 1; SELECT 2", "script .* not supported by this sandbox"),
    ("SELECT foo(1)", "FOO is not supported by this sandbox"),
    ("SELECT * FROM read_csv('x')", "not supported by this sandbox"),
    ("SELECT [1, 2]", "not supported by this sandbox"),
    ("SELECT STRUCT(1 AS a)", "not supported by this sandbox"),
    ("SELECT CAST('1' AS BIGNUMERIC)", "not supported by this sandbox"),
    ("SELECT * FROM `d.t*`", "not supported by this sandbox"),
    ("SELECT * FROM d.INFORMATION_SCHEMA.JOBS", "not supported by this sandbox"),
    ("SELECT * FROM d.t FOR SYSTEM_TIME AS OF CURRENT_TIMESTAMP()", "not supported by this sandbox"),
    ("BEGIN TRANSACTION", "not supported by this sandbox"),
    ("ALTER TABLE d.t DROP COLUMN n", "not supported by this sandbox"),
    ("CREATE TABLE d.u (a ARRAY<STRING>)", "not supported by this sandbox"),
    ("CREATE TABLE d.u (a STRING) OPTIONS(kms_key_name='x')", "not supported by this sandbox"),
    ("ALTER TABLE d.t ADD COLUMN z STRING NOT NULL", "Cannot add required"),
    ("ALTER TABLE d.t ADD COLUMN n INT64", "already exists"),
    ("ALTER TABLE d.t ADD PRIMARY KEY (k)", "NOT ENFORCED"),
    ("ALTER TABLE d.t DROP PRIMARY KEY, ADD PRIMARY KEY (nothing) NOT ENFORCED", "cannot be found in the schema"),
    ("ALTER TABLE d.t DROP PRIMARY KEY, DROP PRIMARY KEY", "has no primary key"),
    ("ALTER TABLE d.t ADD PRIMARY KEY (account) NOT ENFORCED", "already has a primary key"),
    ("DROP VIEW d.t", "not a view"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED, ids=[sql for sql, _ in REFUSED])
def test_what_cannot_be_done_is_refused_in_words(client: bigquery.Client, sql: str, reason: str) -> None:
    """What BigQuery refuses, and what the sandbox does not do, fails with the reason, never with a wrong result."""
    with pytest.raises(GoogleAPICallError, match=reason):
        answer(client, sql)


@pytest.mark.parametrize("most", [1, 1000])
def test_a_comparison_is_judged_by_the_types_of_its_own_tables(
    client: bigquery.Client, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """What is known of a text holds for tables of the same types only, also where one is replaced under its name."""
    monkeypatch.setattr(dialect, "_MOST_KNOWN", most)
    same = "SELECT COUNT(*) FROM d.typed WHERE x = day"
    for kind, is_compared in (("DATE", True), ("STRING", False), ("TIMESTAMP", False), ("DATE", True)):
        client.query_and_wait(f"CREATE OR REPLACE TABLE d.typed (x {kind}, day DATE)")
        if is_compared:
            assert answer(client, same) == [(0,)]
        else:
            with pytest.raises(BadRequest, match=f"for argument types: {kind}, DATE"):
                answer(client, same)


def test_a_primary_key_is_dropped_and_added(client: bigquery.Client) -> None:
    """One ALTER takes both actions, in their order; IF EXISTS takes a table without a key."""
    client.query_and_wait("CREATE TABLE d.keyed (a STRING, b STRING)")
    replace = "ALTER TABLE d.keyed DROP PRIMARY KEY IF EXISTS, ADD PRIMARY KEY ({}) NOT ENFORCED"
    for columns in (["a"], ["b", "a"]):
        client.query_and_wait(replace.format(", ".join(columns)))
        assert list(client.get_table("d.keyed").table_constraints.primary_key.columns) == columns
    client.query_and_wait("ALTER TABLE d.keyed DROP PRIMARY KEY")
    assert client.get_table("d.keyed").table_constraints is None


def test_create_table_makes_what_it_says(client: bigquery.Client) -> None:
    """Columns, descriptions, partitioning, clustering, key, labels of CREATE TABLE are in the table's metadata."""
    table = client.get_table("d.t")
    assert [(field.name, field.mode) for field in table.schema][:4] == [
        ("account", "REQUIRED"), ("metric", "REQUIRED"), ("day", "REQUIRED"), ("v", "NULLABLE"),
    ]  # fmt: skip
    assert (table.schema[0].description, table.description, table.labels) == ("whose", "numbers", {"team": "a"})
    assert (table.time_partitioning.field, table.clustering_fields) == ("day", ["account", "metric"])
    assert table.table_constraints.primary_key.columns == ["account", "metric", "day"]
    with pytest.raises(Conflict, match="Already Exists"):
        client.query_and_wait(CREATE.replace("IF NOT EXISTS ", ""))


def test_tables_and_views_come_change_and_go(client: bigquery.Client) -> None:
    """CREATE TABLE AS, ADD COLUMN, SET OPTIONS, CREATE OR REPLACE VIEW and DROP do what they say, repeatably."""
    client.query_and_wait("CREATE OR REPLACE TABLE d.c AS SELECT account, SUM(v) AS v FROM d.t GROUP BY account")
    assert answer(client, "SELECT * FROM d.c") == [("a", Decimal("14.5"))]
    add = (
        "ALTER TABLE d.c ADD COLUMN IF NOT EXISTS x STRING OPTIONS(description='new'), ADD COLUMN IF NOT EXISTS y INT64"
    )
    for _ in range(2):
        client.query_and_wait(add)
    client.query_and_wait("ALTER TABLE d.c SET OPTIONS (description='sums')")
    table = client.get_table("d.c")
    assert [field.name for field in table.schema] == ["account", "v", "x", "y"]
    assert (table.schema[2].description, table.description) == ("new", "sums")
    for column in ("v", "x"):
        client.query_and_wait(f"CREATE OR REPLACE VIEW d.w AS SELECT {column} FROM d.c")
    assert answer(client, "SELECT w.x FROM d.w") == [(None,)]
    client.query_and_wait("DROP VIEW d.w")
    for _ in range(2):
        client.query_and_wait("DROP TABLE IF EXISTS d.c")
    with pytest.raises(NotFound):
        client.query_and_wait("DROP TABLE d.c")


def test_views_are_nested_16_deep(client: bigquery.Client) -> None:
    """A view of a view is read to the 16th level; what is deeper, or goes round in a circle, is refused."""
    client.query_and_wait("CREATE VIEW d.nested1 AS SELECT account FROM d.t")
    for level in range(2, 18):
        client.query_and_wait(f"CREATE VIEW d.nested{level} AS SELECT account FROM d.nested{level - 1}")
    assert answer(client, "SELECT COUNT(*) FROM d.nested16") == [(3,)]
    with pytest.raises(BadRequest, match=r"Too many nested views at sandbox-project:d\.nested1\."):
        answer(client, "SELECT COUNT(*) FROM d.nested17")
    client.query_and_wait("CREATE OR REPLACE VIEW d.nested1 AS SELECT account FROM d.nested2")
    with pytest.raises(BadRequest, match="Too many nested views"):
        answer(client, "SELECT COUNT(*) FROM d.nested1")
    for level in range(1, 18):
        client.query_and_wait(f"DROP VIEW d.nested{level}")


def test_a_partition_filter_is_required_where_the_table_asks_for_it(client: bigquery.Client) -> None:
    """A query over such a table needs a constant filter on its partition column, also through a view."""
    client.query_and_wait(
        "CREATE TABLE d.p (k STRING NOT NULL, day DATE NOT NULL) PARTITION BY day "
        "OPTIONS(require_partition_filter=TRUE)"
    )
    client.query_and_wait("INSERT INTO d.p (k, day) VALUES ('a', '2026-10-01')")
    client.query_and_wait("CREATE VIEW d.pv AS SELECT k FROM d.p WHERE day = '2026-10-01'")
    good = ["day = '2026-10-01'", "k = 'a' AND day BETWEEN '2026-10-01' AND '2026-10-02'", "day IN ('2026-10-01')"]
    for condition in good:
        assert answer(client, f"SELECT k FROM d.p WHERE {condition}") == [("a",)]
    assert answer(client, "SELECT k FROM d.pv") == [("a",)]
    for statement in (
        "SELECT k FROM d.p",
        "SELECT k FROM d.p WHERE k = 'a'",
        "SELECT k FROM d.p WHERE day = '2026-10-01' OR k = 'a'",
        "SELECT 1 FROM d.p JOIN d.t ON p.day = t.day",
        "DELETE FROM d.p WHERE TRUE",
    ):
        with pytest.raises(BadRequest, match=r"Cannot query over table 'sandbox-project.d.p' without a filter"):
            client.query_and_wait(statement)
    client.query_and_wait("DROP VIEW d.pv")
    client.query_and_wait("DROP TABLE d.p")


def test_results_are_paged(client: bigquery.Client) -> None:
    """A result longer than a page arrives complete and in order."""
    numbers = "SELECT x FROM UNNEST(GENERATE_ARRAY(1, 1000)) AS x ORDER BY x"
    job = client.query(numbers)
    assert [row.x for row in job.result(page_size=300)] == list(range(1, 1001))
    assert [row.x for row in client.query_and_wait(numbers, page_size=300)] == list(range(1, 1001))
    assert [row.x for row in client.query(numbers).result(max_results=5, start_index=10)] == [11, 12, 13, 14, 15]


def test_a_result_is_a_temporary_table(client: bigquery.Client) -> None:
    """A query that found rows names the table that holds them, also none; another statement and another name do not."""
    for condition, rows in (("TRUE", 3), ("FALSE", 0)):
        job = client.query(f"SELECT v, day FROM d.t WHERE {condition}")
        job.result()
        table = client.get_table(job.destination)
        assert (table.num_rows, [field.name for field in table.schema]) == (rows, ["v", "day"])
        with pytest.raises(NotFound):
            client.get_table(f"{job.destination.project}.{job.destination.dataset_id}.other")
    assert "_sandbox" not in str([dataset.dataset_id for dataset in client.list_datasets()])
