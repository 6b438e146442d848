"""The names of a task's jobs and staging tables: the same whenever the same try sends the same payload.

So a request that is sent twice makes one job, and a later try finds what an earlier one left behind.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from airflow_provider_iginsights.bigquery.target import TargetTable, TaskIdentity

Verb = Literal[
    "load", "copy", "merge", "correct", "verify", "deduplicate", "alter", "erase", "clear", "record", "current"
]

USES_STAGING: tuple[Verb, ...] = ("load", "copy", "merge", "correct")
STAGING_INFIX = "__stg_"


def task_hash(identity: TaskIdentity, *, target: TargetTable) -> str:
    """Return the ``ti``: 16 hex digits that name this task instance and this target, whatever the try.

    The target is part of it: two tables of one task would otherwise share job ids, and the second would re-attach to
    the first one's finished job and write nothing.
    """
    # map_index belongs to it: the mapped tasks of one run would otherwise cancel each other as earlier tries.
    facts = (identity.deployment, identity.dag_id, identity.task_id, identity.run_id, str(identity.map_index))
    return hashlib.sha256("|".join((*facts, target.path)).encode()).hexdigest()[:16]


def staging_prefix(table_id: str, *, ti: str) -> str:
    """Return how the staging tables of all tries of one task instance begin."""
    return f"{table_id}{STAGING_INFIX}{ti}_"


def staging_id(table_id: str, *, ti: str, try_number: int, payload: str, nonce: str) -> str:
    """Return the staging table of one try.

    It tells the payload, and so the job ids of its try; ``nonce`` keeps it unique where try numbers begin again after
    a clear.
    """
    return f"{staging_prefix(table_id, ti=ti)}{try_number}_{payload[:12]}_{nonce}"


def staging_jobs(staging: str, *, table_id: str, ti: str) -> tuple[str, ...]:
    """Return the first ids of the jobs that can be using a staging table, given its table id."""
    try_number, payload, *_ = staging.removeprefix(staging_prefix(table_id, ti=ti)).split("_")
    return tuple(f"{job_prefix(verb, ti=ti)}{try_number}-{payload}" for verb in USES_STAGING)


def job_prefix(verb: Verb, *, ti: str) -> str:
    """Return how the job ids of all tries of one task instance begin."""
    return f"iginsights-{verb}-{ti}-"


def job_id(verb: Verb, *, ti: str, try_number: int, payload: str) -> str:
    """Return a job id that is the same whenever the same try sends the same payload (a hash in hex digits)."""
    # Letters, digits, dashes and underscores, at most 1,024 of them ("jobs: jobReference").
    return f"{job_prefix(verb, ti=ti)}{try_number}-{payload[:12]}"
