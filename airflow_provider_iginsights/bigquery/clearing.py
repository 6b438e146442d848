"""Takes texts out of what is stored: sets columns to NULL, or puts hashes in the place of their texts.

One UPDATE a table sets columns to NULL. Hashes are computed here, since a statement that computes them would hold the
salt: the distinct texts of a column are read, a staging table is loaded that has each text's digest (SHA-256, to know
it again) and its hash, and one MERGE puts these in place. A text that has the form of a hash is taken for one, so that
rows which a task has hashed already stay as they are, and a second run finds what the first has left.
"""

# ruff: noqa: S608 (all that goes into the text is checked, quoted or a constant of the catalog)

from __future__ import annotations

import dataclasses
import hashlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from airflow_provider_iginsights.bigquery import predecessors, stage
from airflow_provider_iginsights.bigquery.duplicate_check import manual_identity
from airflow_provider_iginsights.bigquery.ensure import find_table
from airflow_provider_iginsights.bigquery.existing import find_staging, list_current
from airflow_provider_iginsights.bigquery.hash_salt import check_salt, mark_salt
from airflow_provider_iginsights.bigquery.identifiers import quoted
from airflow_provider_iginsights.bigquery.partition_range import ALL_DAYS, condition
from airflow_provider_iginsights.bigquery.retry import HTTP_TIMEOUT
from airflow_provider_iginsights.bigquery.row_file import RowFile
from airflow_provider_iginsights.bigquery.session import JobOptions, open_session
from airflow_provider_iginsights.bigquery.table_options import apply_options
from airflow_provider_iginsights.catalog.columns import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from google.cloud.bigquery import Client

    from airflow_provider_iginsights.bigquery.retry import RetryBudget
    from airflow_provider_iginsights.bigquery.target import TargetTable

PAGE_SIZE = 10_000
"""Texts of a column that are in memory at once."""
_IS_HASH = "^[0-9a-f]{64}$"


class Hasher(Protocol):
    """Hashes a text, and has a text that tells its salt from others."""

    fingerprint: str

    def hash(self, text: str) -> str:
        """Return the hash: 64 lower-case hex digits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTexts:
    """How many rows of a table hold texts in these columns, or how many were changed."""

    target: TargetTable
    columns: tuple[str, ...]
    rows: int

    def __str__(self) -> str:
        """Return it as a line."""
        return f"{self.target.path}: {self.rows} row{'' if self.rows == 1 else 's'} with {', '.join(self.columns)}"


class Clearing:
    """Counts the rows that hold texts in some columns, and takes these out.

    :param targets: tables of one dataset, which exist, with its location.
    :param columns: table name -> columns.
    :param hasher: puts a hash in place of each text; None = they are set to NULL.
    :param retry_budget: how long to wait for a busy or silent BigQuery.
    :param job_project: project that runs and pays for the jobs; None = that of the dataset.
    """

    def __init__(
        self,
        client: Client,
        *,
        targets: Sequence[TargetTable],
        columns: Mapping[str, frozenset[str]],
        hasher: Hasher | None = None,
        retry_budget: RetryBudget | None = None,
        job_project: str | None = None,
    ) -> None:
        self._targets = targets
        self._columns = columns
        self._hasher = hasher
        self._session = open_session(
            client,
            identity=manual_identity("clear"),
            options=JobOptions(retry_budget=retry_budget, job_project=job_project),
        )

    def count(self) -> Iterator[StoredTexts]:
        """Yield how many rows each table holds; a staging table and the current table of a view only if it holds any.

        :raises HashSaltMismatch: a table holds hashes of another salt.
        :raises LoadError: BigQuery refuses.
        """
        for target in self._targets:
            if found := self._count(target):
                yield found
        for target in self._targets:
            # The current tables last: a task may be filling them from the tables.
            for other in (*find_staging([target], session=self._session), *list_current([target])):
                if (found := self._count(other, of=target)) and found.rows:
                    yield found

    def clear(self, held: Sequence[StoredTexts]) -> Iterator[StoredTexts]:
        """Take the texts out of the tables that hold any, and yield how many rows BigQuery changed.

        :raises LoadError: BigQuery refuses; what was yielded before is done.
        """
        for each in held:
            if self._hasher is None:
                yield dataclasses.replace(each, rows=self._run(each, clear_statement(each.target, each.columns)))
            else:
                self._mark(each.target, self._hasher)
                for name in each.columns:
                    yield dataclasses.replace(each, columns=(name,), rows=self._hash(each, name, self._hasher))

    def _count(self, target: TargetTable, *, of: TargetTable | None = None) -> StoredTexts | None:
        """Return what a table holds; None where it has none of the columns."""
        found = find_table(target, session=self._session)
        have = {field.name.lower() for field in found.schema} if found else ()
        wanted = self._columns.get((of or target).table.name, ())
        columns = tuple(name for name in target.table.column_names if name in wanted and name in have)
        if found is None or not columns:
            return None
        check_salt(self._with_salt(target), found=found)
        texts = holding(target, columns, plain=self._hasher is not None)
        sql = f"SELECT COUNT(*) AS held FROM {quoted(target.path)} T WHERE {texts}"
        # Asked anew each time: under the same job id, the answer would be the one of before.
        payload = secrets.token_hex(8)
        doing = f"count the rows of {target.path} that hold {', '.join(columns)}"
        [[rows]] = self._session.read(target, sql=sql, payload=payload, doing=doing)
        return StoredTexts(target=target, columns=columns, rows=int(rows))

    def _with_salt(self, target: TargetTable) -> TargetTable:
        return mark_salt(target, self._hasher.fingerprint) if self._hasher else target

    def _mark(self, target: TargetTable, hasher: Hasher) -> None:
        """Give a table its fingerprint before it gets a hash; staging and current tables have none."""
        if target in self._targets:
            found = find_table(target, session=self._session)
            if found is not None:
                apply_options(mark_salt(target, hasher.fingerprint), found=found, inherit=True, session=self._session)

    def _run(self, held: StoredTexts, sql: str, *, payload: str = "") -> int:
        doing = f"clear {', '.join(held.columns)} of {held.target.path}"
        job = self._session.query(held.target, verb="clear", sql=sql, payload=payload, doing=doing)
        return job.num_dml_affected_rows or 0

    def _hash(self, held: StoredTexts, column: str, hasher: Hasher) -> int:
        """Put hashes in place of the texts of one column, and return how many rows were changed."""
        target = held.target
        with RowFile(find_hashes_target(target)) as row_file:
            for account_id, day, text in self._read_texts(target, column):
                digest = hashlib.sha256(text.encode()).hexdigest()
                row = {"account_id": account_id, target.table.partition_by: day, "text_digest": digest}
                row_file.write(row | {"text_hash": hasher.hash(text)})
            if not row_file.rows:
                return 0
            hashes = stage.create_staging(
                row_file.target, payload=row_file.payload, session=self._session, lifetime=stage.LIFETIME
            )
            try:
                stage.load(row_file, staging=hashes, session=self._session)
                return self._run(held, hash_statement(target, column, hashes=hashes), payload=row_file.payload)
            finally:
                predecessors.drop(hashes, session=self._session)

    def _read_texts(self, target: TargetTable, column: str) -> Iterator[tuple[str, object, str]]:
        """Yield each text of a column once per account and day, page by page."""
        sql = texts_query(target, column)
        doing = f"read {column} of {target.path}"
        job = self._session.query(target, verb="verify", sql=sql, payload=secrets.token_hex(8), doing=doing)
        yield from (tuple(row) for row in job.result(page_size=PAGE_SIZE, job_retry=None, timeout=HTTP_TIMEOUT))


def holding(target: TargetTable, columns: Sequence[str], *, plain: bool) -> str:
    """Return the condition that a row of T holds a text in one of the columns.

    :param plain: an empty text and a hash are none.
    """
    texts = [
        f"(T.{quoted(name)} IS NOT NULL AND T.{quoted(name)} != '' "
        f"AND NOT REGEXP_CONTAINS(T.{quoted(name)}, r'{_IS_HASH}'))"
        if plain
        else f"T.{quoted(name)} IS NOT NULL"
        for name in columns
    ]
    # The days are named for tables that require a filter on their partition.
    return f"{condition(ALL_DAYS, table=target.table, alias='T')} AND ({' OR '.join(texts)})"


def clear_statement(target: TargetTable, columns: Sequence[str]) -> str:
    """Return the UPDATE that sets columns to NULL."""
    assignments = ", ".join(f"{quoted(name)} = NULL" for name in columns)
    return f"UPDATE {quoted(target.path)} T SET {assignments} WHERE {holding(target, columns, plain=False)}"


def texts_query(target: TargetTable, column: str) -> str:
    """Return the query for the distinct texts of a column, by account and day."""
    names = ", ".join(f"T.{quoted(name)}" for name in ("account_id", target.table.partition_by, column))
    return f"SELECT DISTINCT {names} FROM {quoted(target.path)} T WHERE {holding(target, [column], plain=True)}"


def hash_statement(target: TargetTable, column: str, *, hashes: str) -> str:
    """Return the MERGE that puts the hashes of a staging table in place of the texts of a column."""
    day, text = quoted(target.table.partition_by), quoted(column)
    return (
        f"MERGE {quoted(target.path)} T\nUSING {quoted(hashes)} S\n"
        f"ON T.`account_id` = S.`account_id` AND T.{day} = S.{day} AND TO_HEX(SHA256(T.{text})) = S.`text_digest`\n"
        f"   AND {condition(ALL_DAYS, table=target.table, alias='T')}\n"
        f"WHEN MATCHED THEN UPDATE SET {text} = S.`text_hash`"
    )


def find_hashes_target(target: TargetTable) -> TargetTable:
    """Return the target whose staging table holds hashes of texts; it never becomes a table itself."""
    kept = [column for column in target.table.columns if column.name in ("account_id", target.table.partition_by)]
    table = Table(
        name=target.table.name,
        default_id=target.table.default_id,
        description="Hashes on their way to the texts that they replace.",
        key=(*(column.name for column in kept), "text_digest"),
        partition_by=target.table.partition_by,
        cluster_by=("account_id",),
        columns=(
            *kept,
            Column("text_digest", "STRING", "SHA-256 of the text.", required=True),
            Column("text_hash", "STRING", "Hash of the text under the salt.", required=True),
        ),
    )
    # Not the target's id at its beginning: that is how the staging tables of its own rows are found.
    return dataclasses.replace(target, table=table, table_id=f"hashes_{target.table_id}")
