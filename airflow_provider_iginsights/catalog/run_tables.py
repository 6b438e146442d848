"""The tables in which the transfers write what they did, as data: nothing in them comes from an answer of Meta."""

from __future__ import annotations

from airflow_provider_iginsights.catalog.columns import Column, Table
from airflow_provider_iginsights.catalog.tables import TABLES

_TASK: tuple[Column, ...] = (
    Column("dag_id", "STRING", "Dag of the task.", required=True),
    Column("task_id", "STRING", "Task that read the account.", required=True),
    Column("map_index", "INT64", "Index of a mapped task; -1 where the task is not mapped.", required=True),
    Column("run_id", "STRING", "Airflow run.", required=True),
    Column(
        "run_date",
        "DATE",
        "Pacific date on which the run was due: the same in each of its tries, also after a clear.",
        required=True,
    ),
)

TASK_COLUMNS: tuple[str, ...] = tuple(column.name for column in _TASK)
"""Columns that say of which task and run a row is."""

RUNS = Table(
    name="runs",
    default_id="instagram_runs",
    description="What became of each account in each task run, one row, however often the task was tried.",
    key=("account_id", "dag_id", "task_id", "map_index", "run_id"),
    is_optional=True,
    partition_by="run_date",
    cluster_by=("account_id", "dag_id", "task_id"),
    columns=(
        Column("account_id", "STRING", "Instagram professional account id.", required=True, identifies="account"),
        *_TASK,
        Column("transfer", "STRING", "account_insights, media_insights or story_insights: what was read."),
        Column(
            "status",
            "STRING",
            "How the last try ended for the account: done, not_whole, throttled, quarantined, skipped, failed or "
            "not_loaded.",
            required=True,
        ),
        Column("reason", "STRING", "Name of the error where the account is not done."),
        Column("message", "STRING", "What happened and what to do, without secrets."),
        Column("since", "TIMESTAMP", "Begin of the run's window (UTC)."),
        Column("until", "TIMESTAMP", "End of the run's window (UTC), exclusive."),
        Column("first_day", "DATE", "First Pacific day that the run answers for; NULL where no day closed in it."),
        Column("last_day", "DATE", "Last Pacific day that the run answers for."),
        Column("rows_read", "INT64", "Rows that were read of the account for the transfer's tables, in all tries."),
        Column("left_out", "INT64", "Values that were refused or could not be read, in all tries."),
        Column("no_data", "INT64", "Questions that Meta answered without a number, in all tries."),
        Column("graph_calls", "INT64", "Calls about the account that Meta counts against its limits, in all tries."),
        Column("seconds", "NUMERIC", "Seconds in which the account was read, in all tries."),
        Column(
            "task_rows_changed",
            "INT64",
            "Rows that the task inserted, updated or deleted, for all its accounts together and in all tries; NULL "
            "where another task writes.",
        ),
        Column(
            "task_bytes_billed",
            "INT64",
            "Bytes that BigQuery billed the task for its data, for all its accounts together and in all tries; NULL "
            "where another task writes.",
        ),
        Column("tries", "INT64", "Tries, and returns from a wait, in which the account was to be read."),
        Column("started_at", "TIMESTAMP", "When the first of them began to read accounts (UTC)."),
        Column("finished_at", "TIMESTAMP", "When the last of them had written its rows, or had failed to (UTC)."),
        Column("fetched_at", "TIMESTAMP", "When this row was written (UTC).", required=True, volatile=True),
    ),
)

LEFT_OUT_DAYS = 90
"""So long its rows are kept, where table_options say nothing else."""
LEFT_OUT = Table(
    name="left_out",
    default_id="instagram_left_out",
    description="What could not be read or was refused, with a piece of Meta's answer: a few examples of each reason, "
    f"account and task run. The rows of a day go after {LEFT_OUT_DAYS} days.",
    key=("account_id", "dag_id", "task_id", "map_index", "run_id", "reason", "what", "object"),
    is_optional=True,
    partition_by="run_date",
    cluster_by=("account_id", "reason"),
    columns=(
        RUNS.columns[0],
        *_TASK,
        Column("reason", "STRING", "Name of the error, or Unreadable, Contradictory and the like.", required=True),
        Column("what", "STRING", "The metric, or what else was left out.", required=True),
        Column("object", "STRING", "Of whom: an account, a post or a story, with its id.", required=True),
        Column("explanation", "STRING", "What happened, without secrets."),
        Column("count", "INT64", "How many values of the account were left out for this reason in the try."),
        Column(
            "fragment",
            "STRING",
            "Piece of Meta's answer as JSON text of at most 1,024 bytes, without tokens and without values of excluded "
            "or hashed columns; NULL where there is none.",
        ),
        Column("fetched_at", "TIMESTAMP", "When this row was written (UTC).", required=True, volatile=True),
    ),
)

RUN_TABLES: tuple[Table, ...] = (RUNS, LEFT_OUT)
ALL_TABLES: tuple[Table, ...] = (*TABLES, *RUN_TABLES)
"""All tables that a transfer can write, the current tables of views apart."""
