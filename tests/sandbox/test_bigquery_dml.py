"""INSERT, UPDATE, DELETE and MERGE in the local BigQuery: their effect, their refusals, and how they meet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from google.api_core.exceptions import BadRequest, GoogleAPICallError
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox, mutations
from airflow_provider_iginsights.sandbox.bigquery.dml import Concurrency, DmlStats
from airflow_provider_iginsights.sandbox.bigquery.query import Session
from airflow_provider_iginsights.sandbox.bigquery.statements import run_statement
from airflow_provider_iginsights.sandbox.bigquery.storage import Storage
from airflow_provider_iginsights.sandbox.bigquery.tables import TableRef

COLUMNS = "k STRING NOT NULL, day DATE NOT NULL, v NUMERIC, at TIMESTAMP NOT NULL"
MERGE = """MERGE `sandbox-project.d.t` T
USING (SELECT * FROM `sandbox-project.d.s` WHERE TRUE
       QUALIFY ROW_NUMBER() OVER (PARTITION BY `k`, `day` ORDER BY `at` DESC) = 1) S
ON T.`k` = S.`k` AND T.`day` = S.`day` AND T.`day` BETWEEN DATE '2026-10-01' AND DATE '2026-10-28'
WHEN MATCHED AND S.`at` >= T.`at` AND S.`v` IS DISTINCT FROM T.`v` THEN UPDATE SET `v` = S.`v`, `at` = S.`at`
WHEN NOT MATCHED BY TARGET THEN INSERT (`at`, `k`, `day`, `v`) VALUES (S.`at`, S.`k`, S.`day`, S.`v`)"""
REPLACE = """MERGE d.t T USING d.s S ON FALSE
WHEN NOT MATCHED BY SOURCE AND T.day BETWEEN DATE '2026-10-01' AND DATE '2026-10-28' AND T.k IN UNNEST(['a', 'b'])
  THEN DELETE
WHEN NOT MATCHED BY TARGET THEN INSERT (k, day, v, at) VALUES (S.k, S.day, S.v, S.at)"""


@pytest.fixture
def sandbox() -> Iterator[BigQuerySandbox]:
    """Run a BigQuery with the tables t (target) and s (source)."""
    with BigQuerySandbox() as running:
        client = running.client()
        client.create_dataset("d")
        for table in ("t", "s"):
            client.query_and_wait(f"CREATE TABLE d.{table} ({COLUMNS}) PARTITION BY day")
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> bigquery.Client:
    """Connect."""
    return sandbox.client()


def fill(client: bigquery.Client, table: str, *rows: tuple[str, int, int, int]) -> None:
    """Insert rows of key, day of October, value and hour of fetching."""
    values = [f"('{k}', '2026-10-{day:02}', {v}, '2026-11-01T{hour:02}:00:00Z')" for k, day, v, hour in rows]
    client.query_and_wait(f"INSERT INTO d.{table} (k, day, v, at) VALUES {', '.join(values)}")


def content(sandbox: BigQuerySandbox) -> list[tuple[str, int, int | None, int]]:
    """Read the target as such rows, sorted."""
    rows = sandbox.rows("d", "t")
    return sorted(
        (row["k"], row["day"].day, None if row["v"] is None else int(row["v"]), row["at"].hour) for row in rows
    )


def stats(job: bigquery.QueryJob) -> tuple[int, int, int, int | None]:
    """Wait for a statement; return inserted, updated, deleted and affected rows."""
    job.result()
    counts = job.dml_stats
    return counts.inserted_row_count, counts.updated_row_count, counts.deleted_row_count, job.num_dml_affected_rows


def test_merge_upserts_the_newest_and_leaves_the_rest(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """New keys come, changed values follow the later fetch, older fetches and equal values change nothing."""
    fill(client, "t", ("same", 1, 1, 5), ("newer", 1, 2, 5), ("older", 1, 3, 5), ("alone", 2, 4, 5))
    fill(
        client, "s", ("same", 1, 1, 9), ("newer", 1, 20, 9), ("newer", 1, 10, 8), ("older", 1, 30, 4), ("new", 3, 5, 9)
    )
    job = client.query(MERGE)
    assert stats(job) == (1, 1, 0, 2)
    assert (job.statement_type, job.destination.table_id) == ("MERGE", "t")
    expected = [("alone", 2, 4, 5), ("new", 3, 5, 9), ("newer", 1, 20, 9), ("older", 1, 3, 5), ("same", 1, 1, 5)]
    assert content(sandbox) == expected
    assert stats(client.query(MERGE)) == (0, 0, 0, 0)


def test_merge_on_false_replaces_a_scope(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """ON FALSE deletes the target rows its condition names, and only those, and inserts the source."""
    fill(client, "t", ("a", 1, 1, 5), ("b", 29, 2, 5), ("c", 1, 3, 5))
    fill(client, "s", ("a", 2, 9, 6))
    assert stats(client.query(REPLACE)) == (1, 0, 1, 2)
    assert content(sandbox) == [("a", 2, 9, 6), ("b", 29, 2, 5), ("c", 1, 3, 5)]


def test_the_first_clause_that_fits_acts(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A row that fits several WHEN clauses is handled by the first; one that fits none stays as it is."""
    fill(client, "t", ("a", 1, 1, 5), ("b", 1, 2, 5), ("c", 1, 3, 5))
    fill(client, "s", ("a", 1, 0, 6), ("b", 1, 0, 6), ("c", 1, 0, 6))
    merge = """MERGE d.t USING d.s ON t.k = s.k
    WHEN MATCHED AND t.v = 1 THEN DELETE WHEN MATCHED AND t.v < 3 THEN UPDATE SET v = t.v + 100"""
    assert stats(client.query(merge)) == (0, 1, 1, 2)
    assert content(sandbox) == [("b", 1, 102, 5), ("c", 1, 3, 5)]


def test_update_and_delete(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """UPDATE, with FROM and without, and DELETE, with FROM and without, count and change the rows they name."""
    fill(client, "t", ("a", 1, 1, 5), ("b", 1, 2, 5), ("c", 1, 3, 5))
    fill(client, "s", ("b", 1, 9, 6))
    assert stats(client.query("UPDATE d.t SET v = v + 1 WHERE k != 'c'")) == (0, 2, 0, 2)
    assert stats(client.query("UPDATE d.t AS x SET v = s.v FROM d.s AS s WHERE x.k = s.k")) == (0, 1, 0, 1)
    assert stats(client.query("DELETE FROM d.t WHERE k = 'a'")) == (0, 0, 1, 1)
    assert content(sandbox) == [("b", 1, 9, 5), ("c", 1, 3, 5)]
    assert stats(client.query("DELETE d.t WHERE k IN (SELECT k FROM d.s)")) == (0, 0, 1, 1)
    assert stats(client.query("TRUNCATE TABLE d.t")) == (0, 0, 1, 1)
    assert content(sandbox) == []


REFUSED: list[tuple[str, str]] = [
    ("MERGE d.t USING d.s ON t.k = s.k WHEN MATCHED THEN UPDATE SET v = s.v", "at most one source row"),
    ("UPDATE d.t SET v = s.v FROM d.s WHERE t.k = s.k", "at most one source row"),
    ("UPDATE d.t SET k = NULL WHERE TRUE", "Required field k cannot be null"),
    ("MERGE d.t USING d.s ON FALSE WHEN NOT MATCHED THEN INSERT (k, day) VALUES (s.k, s.day)", "Required field at"),
    ("INSERT INTO d.t (k) VALUES ('x')", "Required field (day|at) cannot be null"),
    ("INSERT INTO d.t (k, day, at) SELECT 5, day, at FROM d.s", "INT64 cannot be assigned to k, which has type STRING"),
    ("INSERT INTO d.t (k, nope) VALUES ('x', 1)", "Column nope is not present"),
    ("INSERT INTO d.t (k, day) SELECT k FROM d.s", "wrong column count"),
    ("UPDATE d.t SET v = k WHERE TRUE", "STRING cannot be assigned to v, which has type NUMERIC"),
    ("UPDATE d.t SET v = 1", "must have a WHERE clause"),
    ("MERGE d.t USING d.s ON t.k = s.v WHEN MATCHED THEN DELETE", "No matching signature for operator ="),
    ("MERGE d.t USING d.s ON FALSE WHEN NOT MATCHED THEN INSERT ROW", "not supported by this sandbox"),
    ("UPDATE d.t SET v = v / 0 WHERE TRUE", "division by zero"),
    ("UPDATE d.t SET v = 1 / 2 WHERE TRUE", "FLOAT64 cannot be assigned to v"),
    ("DELETE FROM d.w WHERE TRUE", "d.w is a view; it cannot be changed by this statement"),
    ("TRUNCATE TABLE d.w", "d.w is a view; it cannot be changed by this statement"),
    ("DELETE FROM d.f(1) WHERE TRUE", "A statement on anything but a table"),
]


@pytest.mark.parametrize(("sql", "reason"), REFUSED, ids=[sql for sql, _ in REFUSED])
def test_a_refused_statement_changes_nothing(
    sandbox: BigQuerySandbox, client: bigquery.Client, sql: str, reason: str
) -> None:
    """Statements that BigQuery refuses, before or while they run, leave every row as it was."""
    fill(client, "t", ("a", 1, 1, 5), ("b", 1, 2, 5))
    fill(client, "s", ("a", 1, 9, 6), ("a", 1, 8, 6))
    client.query_and_wait("CREATE VIEW d.w AS SELECT * FROM d.t")
    with pytest.raises(GoogleAPICallError, match=reason):
        client.query_and_wait(sql)
    assert content(sandbox) == [("a", 1, 1, 5), ("b", 1, 2, 5)]


def test_a_merge_into_a_table_with_partition_filter(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Such a target needs a constant filter on its partition column, in ON, or with ON FALSE in the clauses."""
    client.query_and_wait("ALTER TABLE d.t SET OPTIONS (require_partition_filter=TRUE)")
    fill(client, "s", ("a", 1, 9, 6))
    for bare in (MERGE.partition("AND T.`day` BETWEEN")[0] + "\nWHEN MATCHED THEN DELETE",
                 "MERGE d.t T USING d.s S ON FALSE WHEN NOT MATCHED BY SOURCE AND T.k = 'a' THEN DELETE"):  # fmt: skip
        with pytest.raises(BadRequest, match="without a filter over"):
            client.query_and_wait(bare)
    assert stats(client.query(MERGE)) == (1, 0, 0, 1)
    assert stats(client.query(REPLACE)) == (1, 0, 1, 2)
    assert content(sandbox) == [("a", 1, 9, 6)]


def start(client: bigquery.Client, *statements: str) -> list[bigquery.QueryJob]:
    """Start statements side by side."""
    return [client.query(statement, job_retry=None) for statement in statements]


def errors(jobs: list[bigquery.QueryJob]) -> list[str]:
    """Wait for the jobs; return the reasons of those that failed."""
    return [str(job.exception().message) for job in jobs if job.exception(timeout=60) is not None]


def test_two_merges_that_only_insert_double_new_keys(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """With the race, both see the table without the key and insert it; without it, the second one finds it."""
    sandbox.switches.snapshot_seconds = 0.3
    fill(client, "s", ("a", 1, 1, 5))
    assert errors(start(client, MERGE, MERGE)) == []
    assert content(sandbox) == [("a", 1, 1, 5)] * 2
    client.query_and_wait("TRUNCATE TABLE d.t")
    sandbox.switches.insert_race = False
    assert errors(start(client, MERGE, MERGE)) == []
    assert content(sandbox) == [("a", 1, 1, 5)]


@pytest.mark.parametrize("other", ["UPDATE d.t SET v = v + 1 WHERE TRUE", "DELETE FROM d.t WHERE k = 'b'"])
def test_statements_that_change_the_same_row_are_run_again(
    sandbox: BigQuerySandbox, client: bigquery.Client, other: str
) -> None:
    """Of two that meet on a row, the later is run again on what the earlier left: no update is lost."""
    sandbox.switches.snapshot_seconds = 0.2
    fill(client, "t", ("a", 1, 0, 5), ("b", 1, 0, 5))
    assert errors(start(client, "UPDATE d.t SET v = v + 10 WHERE TRUE", other)) == []
    assert content(sandbox) in ([("a", 1, 11, 5), ("b", 1, 11, 5)], [("a", 1, 10, 5)])


def test_a_table_that_is_replaced_meanwhile_is_read_again(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A MERGE whose target got other columns between snapshot and change is run again on the new table."""
    fill(client, "s", ("a", 1, 2, 6))
    sandbox.switches.snapshot_seconds = 0.4
    (job,) = start(client, MERGE)
    client.query_and_wait("ALTER TABLE d.t ADD COLUMN note STRING")
    assert errors([job]) == []
    assert [(row["k"], row["note"]) for row in sandbox.rows("d", "t")] == [("a", None)]


def test_columns_that_are_only_shown_yet_are_waited_for() -> None:
    """A MERGE that begins while its target is being altered reads the columns when that has ended."""
    storage = Storage(None, location="US")
    storage.create_dataset("p-1", {"datasetReference": {"datasetId": "d"}})
    fields = [{"name": "k", "type": "STRING"}, {"name": "v", "type": "INTEGER"}]
    target, _ = (storage.create_table(TableRef("p-1", "d", name), {"schema": {"fields": fields}}) for name in "ts")
    merge = "MERGE d.t T USING d.s S ON T.k = S.k WHEN MATCHED THEN UPDATE SET v = S.v"
    with ThreadPoolExecutor(1) as pool:
        with target.lock:
            before = target.resource
            target.resource = {**before, "schema": {"fields": [*fields, {"name": "note", "type": "STRING"}]}}
            job = pool.submit(run_statement, Session(storage, "p-1", "US"), merge, [], Concurrency())
            with pytest.raises(TimeoutError):
                job.result(timeout=0.3)
            target.resource = before
        assert job.result(timeout=60).stats == DmlStats()
    storage.close()


def test_a_table_that_is_dropped_meanwhile_is_not_found(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """A MERGE whose target went away before it was changed fails, and does not bring rows to a new table's name."""
    fill(client, "s", ("a", 1, 2, 6))
    sandbox.switches.snapshot_seconds = 0.4
    (job,) = start(client, MERGE)
    client.delete_table("d.t")
    assert ["Not found: Table sandbox-project:d.t" in reason for reason in errors([job])] == [True]


def test_a_statement_that_always_comes_too_late_fails(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """After three more attempts the conflict is the result, and what the others did stands."""
    sandbox.switches.dml_queue = (10, 20)
    sandbox.switches.snapshot_seconds = 0.15
    fill(client, "t", ("a", 1, 0, 5))
    jobs = start(client, *["UPDATE d.t SET v = v + 1 WHERE TRUE"] * 8)
    failed = errors(jobs)
    assert failed
    assert all("Could not serialize access to table sandbox-project:d.t" in reason for reason in failed)
    assert sandbox.rows("d", "t")[0]["v"] == Decimal(len(jobs) - len(failed))


def test_the_23rd_mutating_statement_is_refused(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """Two run and twenty wait; one more fails with BigQuery's text, the others are all carried out, INSERTs too."""
    sandbox.switches.snapshot_seconds = 600
    fill(client, "t", ("a", 1, 0, 5))
    jobs = start(client, *[f"UPDATE d.t SET v = {number} WHERE k = 'none'" for number in range(23)])
    fill(client, "t", ("b", 1, 0, 5))
    sandbox.switches.snapshot_seconds = 0
    for job in jobs[:2]:
        job.cancel()
    text = (
        "Resources exceeded during query execution: Too many DML statements outstanding against table "
        "sandbox-project:d.t, limit is 20."
    )
    *cancelled, refused = errors(jobs)
    assert ["cancelled" in reason for reason in cancelled] == [True, True]
    assert text in refused
    assert jobs[22].error_result["reason"] == "resourcesExceeded"
    assert len(content(sandbox)) == 2


def test_readers_never_see_half_a_statement(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """While a MERGE replaces all rows, a reader sees the old ones or the new ones."""
    fill(client, "t", *((f"k{number}", 1, 1, 5) for number in range(50)))
    fill(client, "s", *((f"k{number}", 1, 2, 6) for number in range(50)))
    sandbox.switches.snapshot_seconds = 0.1
    job = client.query(MERGE)
    seen: set[Any] = set()
    while not job.done():
        seen |= {tuple(row) for row in client.query_and_wait("SELECT MIN(v), MAX(v), COUNT(*) FROM d.t")}
    assert seen <= {(1, 1, 50), (2, 2, 50)}
    assert {row[2] for row in content(sandbox)} == {2}


SEEN = "(SELECT COUNT(*) FROM d.seen)"
TABLES = "(SELECT COUNT(*) FROM d.INFORMATION_SCHEMA.TABLES)"


def run(*statements: str) -> Callable[[bigquery.Client], None]:
    """Return what runs the statements."""

    def change(client: bigquery.Client) -> None:
        for statement in statements:
            client.query_and_wait(statement)

    return change


def write_function(client: bigquery.Client, number: int = 7) -> None:
    """Make the table function f anew: one row with this number."""
    client.delete_routine("d.f", not_found_ok=True)
    body = f"SELECT {number} AS n"
    client.create_routine(
        bigquery.Routine("sandbox-project.d.f", type_="TABLE_VALUED_FUNCTION", language="SQL", body=body)
    )


@pytest.mark.parametrize("most", [0, 64])
@pytest.mark.parametrize(
    ("value", "change"),
    [
        pytest.param(SEEN, run("CREATE OR REPLACE VIEW d.seen AS SELECT * FROM d.s WHERE k = 'a'"), id="a view"),
        pytest.param(SEEN, run("DROP VIEW d.seen", "CREATE TABLE d.seen AS SELECT 1 AS k"), id="a table for a view"),
        pytest.param(SEEN, run(f"CREATE OR REPLACE TABLE d.s ({COLUMNS})"), id="a table of a view"),
        pytest.param(TABLES, run("CREATE TABLE d.more (k STRING)"), id="the list of tables"),
        pytest.param("(SELECT MAX(n) FROM d.f())", write_function, id="a table function"),
        pytest.param("TIMESTAMP_DIFF(CURRENT_TIMESTAMP(), T.at, MINUTE)", run(), id="the time"),
    ],
)
def test_a_statement_means_what_it_says_now(
    sandbox: BigQuerySandbox,
    client: bigquery.Client,
    monkeypatch: pytest.MonkeyPatch,
    value: str,
    change: Callable[[bigquery.Client], None],
    most: int,
) -> None:
    """The same text was tried and run before; what changed since then counts, as for a text that is new."""
    monkeypatch.setattr(mutations, "_MOST_READ", most)
    fill(client, "t", ("x", 1, 0, 0))
    fill(client, "s", ("a", 1, 1, 1), ("b", 2, 2, 2))
    client.query_and_wait("CREATE VIEW d.seen AS SELECT * FROM d.s")
    write_function(client, 3)
    statement = f"UPDATE d.t T SET v = {value} WHERE TRUE"
    client.query(statement, job_config=bigquery.QueryJobConfig(dry_run=True))
    client.query_and_wait(statement)
    before = content(sandbox)
    change(client)
    sandbox.clock.advance(timedelta(hours=1))
    client.query_and_wait(statement)
    again = content(sandbox)
    assert again != before
    client.query_and_wait(f"{statement} -- a new text")
    assert content(sandbox) == again


def test_a_column_that_came_in_between_is_kept(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """The same MERGE before and after: the rows that it rewrites keep the new column's value."""
    fill(client, "t", ("a", 1, 1, 1))
    fill(client, "s", ("a", 1, 5, 2))
    client.query(MERGE, job_config=bigquery.QueryJobConfig(dry_run=True))
    client.query_and_wait("ALTER TABLE d.t ADD COLUMN note STRING")
    client.query_and_wait("UPDATE d.t SET note = 'kept' WHERE TRUE")
    client.query_and_wait(MERGE)
    [row] = sandbox.rows("d", "t")
    assert (row["v"], row["note"]) == (5, "kept")


def test_what_is_dropped_in_between_is_missing(client: bigquery.Client) -> None:
    """A statement that was read does not keep its tables alive."""
    client.query(MERGE, job_config=bigquery.QueryJobConfig(dry_run=True))
    client.query_and_wait("DROP TABLE d.s")
    with pytest.raises(GoogleAPICallError, match="Not found: Table"):
        client.query_and_wait(MERGE)
