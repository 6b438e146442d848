"""The local BigQuery bills as Google does: every number here is worked out by hand from Google's rules."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.api_core.exceptions import GoogleAPICallError
from google.cloud import bigquery

from airflow_provider_iginsights.sandbox.bigquery import BigQuerySandbox

MIB = 2**20
LEAST = 10 * MIB
DAYS = ("2026-11-18", "2026-11-19", "2026-11-20")
ACCOUNTS = tuple("abcdefgh")
# One row: a STRING of one letter, a DATE, a NUMERIC, an INT64, a TIMESTAMP, a BOOL.
WIDTHS = {"account_id": 3, "day": 8, "value": 16, "likes": 8, "at": 8, "ok": 1}
ROW = sum(WIDTHS.values())
DAY = len(ACCOUNTS)  # rows
ALL = len(DAYS) * DAY


@pytest.fixture(scope="module")
def sandbox() -> Iterator[BigQuerySandbox]:
    """Serve a sandbox with a partitioned and clustered table, whose blocks hold two rows, and a small one beside it."""
    with BigQuerySandbox() as running:
        running.switches.block_bytes = 2 * ROW
        with running.client() as client:
            client.create_dataset("d")
            for sql in (
                "CREATE TABLE d.t (account_id STRING, day DATE, value NUMERIC, likes INT64, at TIMESTAMP, ok BOOL) "
                "PARTITION BY day CLUSTER BY account_id",
                "CREATE TABLE d.s (account_id STRING, day DATE, value NUMERIC)",
                "CREATE TABLE d.hours (at TIMESTAMP, n INT64) PARTITION BY TIMESTAMP_TRUNC(at, DAY)",
                "CREATE TABLE d.nothing (n INT64)",
                "CREATE VIEW d.v AS SELECT account_id, likes, value FROM d.t",
                f"INSERT INTO d.t SELECT a, d, 1, 2, TIMESTAMP '2026-11-20 10:00:00Z', TRUE "
                f"FROM UNNEST({list(ACCOUNTS)}) a CROSS JOIN UNNEST([{', '.join(f'DATE {d!r}' for d in DAYS)}]) d",
                "INSERT INTO d.s SELECT account_id, day, 2 FROM d.t WHERE day = '2026-11-20' AND account_id < 'e'",
                "INSERT INTO d.hours VALUES (TIMESTAMP '2026-11-20 01:00:00Z', 1), "
                "(TIMESTAMP '2026-11-20 23:00:00Z', 2), (TIMESTAMP '2026-11-21 01:00:00Z', 3)",
            ):
                client.query(sql).result()
        yield running


@pytest.fixture
def client(sandbox: BigQuerySandbox) -> Iterator[bigquery.Client]:
    """Return its client."""
    with sandbox.client() as made:
        yield made


SMALL = 4 * 27  # d.s: four rows of 3 + 8 + 16 bytes
LAST = "day = DATE '2026-11-20'"
READS = {
    # Columns.
    "SELECT 1": (0, 0, 0),
    "SELECT COUNT(*) FROM d.t": (0, 0, 0),
    "SELECT n FROM d.nothing": (0, 0, 0),
    "SELECT * FROM d.t": (ALL * ROW, ALL * ROW, LEAST),
    "SELECT t.* FROM d.t AS t LIMIT 1": (ALL * ROW, ALL * ROW, LEAST),
    "SELECT likes FROM d.t": (ALL * 8, ALL * 8, LEAST),
    "SELECT likes AS a, likes + 1 AS b FROM d.t WHERE ok": (ALL * 9, ALL * 9, LEAST),
    "SELECT likes FROM (SELECT * FROM d.t)": (ALL * 8, ALL * 8, LEAST),
    "SELECT likes FROM d.v": (ALL * 8, ALL * 8, LEAST),
    "WITH c AS (SELECT likes, value FROM d.t) SELECT value FROM c": (ALL * 16, ALL * 16, LEAST),
    "SELECT a.likes FROM d.t a JOIN d.s b ON a.account_id = b.account_id": (
        ALL * 11 + 4 * 3,
        ALL * 11 + 4 * 3,
        2 * LEAST,
    ),
    # Partitions: constants leave them out, whatever else says nothing.
    f"SELECT likes FROM d.t WHERE {LAST}": (DAY * 16, DAY * 16, LEAST),
    "SELECT likes FROM d.t WHERE day IN (DATE '2026-11-18', DATE '2026-11-20')": (DAY * 32, DAY * 32, LEAST),
    "SELECT likes FROM d.t WHERE day BETWEEN DATE '2026-11-19' AND DATE '2026-11-20' AND likes > 1": (
        DAY * 32,
        DAY * 32,
        LEAST,
    ),
    f"SELECT likes FROM d.t WHERE ({LAST} OR day = DATE '2026-11-19')": (DAY * 32, DAY * 32, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} OR likes = 7": (ALL * 16, ALL * 16, LEAST),
    "SELECT likes FROM d.t WHERE day = (SELECT MAX(day) FROM d.s)": (ALL * 16 + 4 * 8, ALL * 16 + 4 * 8, 2 * LEAST),
    f"SELECT 1 FROM d.s s WHERE EXISTS (SELECT 1 FROM d.t t WHERE t.account_id = s.account_id AND t.{LAST})": (
        4 * 3 + DAY * 11,
        4 * 3 + DAY * 11,
        2 * LEAST,
    ),
    "SELECT n FROM d.hours WHERE at < TIMESTAMP '2026-11-20 02:00:00Z'": (2 * 16, 2 * 16, LEAST),
    # Blocks of two rows: [a b] [c d] [e f] [g h] of each day.
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id = 'a'": (2 * 19, DAY * 19, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id IN ('a', 'h', 'zz')": (4 * 19, DAY * 19, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id IN UNNEST(['d', 'e'])": (4 * 19, DAY * 19, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id BETWEEN 'd' AND 'e'": (4 * 19, DAY * 19, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id > 'f'": (2 * 19, DAY * 19, LEAST),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id = 'x'": (0, DAY * 19, 0),
    f"SELECT likes FROM d.t WHERE {LAST} AND account_id IN (SELECT account_id FROM d.s)": (
        DAY * 19 + 4 * 3,
        DAY * 19 + 4 * 3,
        2 * LEAST,
    ),
    "SELECT likes FROM d.t WHERE account_id = 'a'": (3 * 2 * 11, ALL * 11, LEAST),
}


@pytest.mark.parametrize(("sql", "processed", "at_most", "billed"), [(sql, *sizes) for sql, sizes in READS.items()])
def test_what_a_query_costs(client: bigquery.Client, sql: str, processed: int, at_most: int, billed: int) -> None:
    """Columns that are named, partitions and blocks that constants leave; a dry run does not know the blocks."""
    job = run(client, sql)
    assert (job.total_bytes_processed, job.total_bytes_billed) == (processed, billed)
    forecast = run(client, sql, dry_run=True)
    assert (forecast.total_bytes_processed, forecast.total_bytes_billed) == (at_most, 0)


MERGE = (
    "MERGE d.t T USING (SELECT * FROM d.s) S ON T.account_id = S.account_id AND T.day = S.day AND T.{on}\n"
    "WHEN NOT MATCHED BY TARGET THEN INSERT (account_id, day, value) VALUES (S.account_id, S.day, S.value)"
)
REPLACE = (
    "MERGE d.t T USING (SELECT * FROM d.s) S ON {on}\nWHEN NOT MATCHED BY SOURCE{where} THEN DELETE\n"
    "WHEN NOT MATCHED BY TARGET THEN INSERT (account_id, day, value) VALUES (S.account_id, S.day, S.value)"
)
WRITES = {
    # What only inserts costs what it reads; what may update costs the whole partitions that it reads as well.
    MERGE.format(on=LAST): DAY * 11 + SMALL,
    MERGE.format(on=LAST) + "\nWHEN MATCHED AND S.value > 9 THEN UPDATE SET value = S.value": DAY * (11 + ROW) + SMALL,
    MERGE.format(on=f"{LAST} AND T.account_id IN ('a', 'b')"): 2 * 11 + SMALL,
    MERGE.format(on=f"{LAST} AND T.account_id IN ('a')") + "\nWHEN MATCHED AND S.value > 9 THEN DELETE": (
        2 * 11 + DAY * ROW + SMALL
    ),
    MERGE.format(on="ok") + "\nWHEN MATCHED AND S.value > 9 THEN DELETE": ALL * (12 + ROW) + SMALL,
    # With ON FALSE, the condition of what is deleted leaves out days; without one, with another ON, or beside a clause
    # of another condition, all days are read.
    REPLACE.format(on="FALSE", where=f" AND T.{LAST}"): DAY * (8 + ROW) + SMALL,
    REPLACE.format(on="FALSE", where=""): ALL * ROW + SMALL,
    REPLACE.format(on="T.day = S.day", where=f" AND T.{LAST}"): ALL * (8 + ROW) + SMALL,
    f"UPDATE d.t SET value = 3 WHERE {LAST} AND account_id = 'x'": DAY * ROW,
    f"DELETE FROM d.t WHERE {LAST} AND likes = 99": DAY * (16 + ROW),
    "INSERT INTO d.nothing SELECT likes FROM d.t WHERE likes = 99": ALL * 8,
    "INSERT INTO d.nothing VALUES (1)": 0,
    "CREATE TABLE d.copy AS SELECT likes FROM d.t": ALL * 8,
    "ALTER TABLE d.s ADD COLUMN IF NOT EXISTS value NUMERIC": 0,
}


@pytest.mark.parametrize(("sql", "processed"), WRITES.items())
def test_what_a_statement_costs(sandbox: BigQuerySandbox, sql: str, processed: int) -> None:
    """As the tables were when it began."""
    with sandbox.client() as client:
        for table in ("t", "s", "nothing"):
            client.query(f"CREATE TABLE d.{table}_kept AS SELECT * FROM d.{table}").result()
        try:
            assert run(client, sql).total_bytes_processed == processed
        finally:
            client.delete_table("d.copy", not_found_ok=True)
            for table in ("t", "s", "nothing"):
                client.query(f"DELETE FROM d.{table} WHERE TRUE").result()
                client.query(f"INSERT INTO d.{table} SELECT * FROM d.{table}_kept").result()
                client.delete_table(f"d.{table}_kept")


def test_null_costs_nothing_and_text_its_bytes(client: bigquery.Client) -> None:
    """An empty text costs 2 bytes, a letter of two bytes 4."""
    client.query("CREATE TABLE d.texts AS SELECT x FROM UNNEST(['', 'é', NULL]) x").result()
    assert run(client, "SELECT x FROM d.texts").total_bytes_processed == 2 + 4


def test_more_than_the_least_is_rounded_up_to_mebibytes(client: bigquery.Client) -> None:
    """Two million INT64 are 16,000,000 bytes: 15.26 MiB are billed as 16."""
    client.query("CREATE TABLE d.big AS SELECT n FROM UNNEST(GENERATE_ARRAY(1, 2000000)) n").result()
    job = run(client, "SELECT n FROM d.big")
    assert (job.total_bytes_processed, job.total_bytes_billed) == (16_000_000, 16 * MIB)


@pytest.mark.parametrize(("limit", "refused"), [(LEAST - 1, True), (LEAST, False)])
def test_a_limit_is_kept_before_anything_runs(client: bigquery.Client, limit: int, refused: bool) -> None:
    """A statement that can bill more than ``maximum_bytes_billed`` fails, changes nothing and costs nothing."""
    sql = "UPDATE d.s SET value = 8 WHERE account_id = 'a'"
    before = [tuple(row) for row in client.query("SELECT * FROM d.s ORDER BY account_id").result()]
    job = client.query(sql, job_config=bigquery.QueryJobConfig(maximum_bytes_billed=limit))
    if not refused:
        job.result()
        assert job.total_bytes_billed == LEAST
        return
    with pytest.raises(
        GoogleAPICallError, match=rf"Query exceeded limit for bytes billed: {limit}\. {LEAST} or higher"
    ):
        job.result()
    assert (job.error_result or {})["reason"] == "bytesBilledLimitExceeded"
    assert not job.total_bytes_billed
    assert [tuple(row) for row in client.query("SELECT * FROM d.s ORDER BY account_id").result()] == before


def test_the_sandbox_tells_what_its_jobs_cost(sandbox: BigQuerySandbox, client: bigquery.Client) -> None:
    """So that a test can hold a price without asking the API."""
    job = run(client, f"SELECT likes FROM d.t WHERE {LAST}")
    record = next(each for each in sandbox.jobs if each.id == job.job_id)
    assert (record.bytes_processed, record.bytes_billed) == (DAY * 16, LEAST)


def test_without_pricing_rows_are_the_same_and_bytes_are_0(
    sandbox: BigQuerySandbox, client: bigquery.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For tests that look at rows alone: statements do what they do, and their price is not worked out."""
    sql = "SELECT SUM(likes) FROM d.t"
    priced = run(client, sql)
    monkeypatch.setattr(sandbox.switches, "pricing", False)
    free = run(client, sql)
    assert [tuple(row) for row in free.result()] == [tuple(row) for row in priced.result()]
    assert (priced.total_bytes_processed > 0, free.total_bytes_processed, free.total_bytes_billed) == (True, 0, 0)


def run(client: bigquery.Client, sql: str, *, dry_run: bool = False) -> Any:
    """Run a statement without the cache and return its job."""
    job = client.query(sql, job_config=bigquery.QueryJobConfig(dry_run=dry_run, use_query_cache=False))
    if not dry_run:
        job.result()
    return job
